#compdef rcronctl
# rcronctl.zsh: what zsh offers behind rcronctl and a TAB.
#
# Goes to:  a folder of $fpath, as _rcronctl: /usr/share/zsh/vendor-completions or /usr/local/share/zsh/site-functions
# Check:    print $_comps[rcronctl]     (in a shell where compinit has run, and after rm ~/.zcompdump)

_rcronctl() {
	local curcontext=$curcontext state line ret=1
	local -a words_of conf json record socket help
	words_of=(
		'state:show, or write, what this machine is'
		'follow:read the notify FIFO of keepalived'
		'doctor:say what would go wrong on this machine'
		'runs:list the runs'
		'show:show one run, with its output'
		'jobs:list the jobs, and how they do'
		'why:tell what became of a tick'
		'metrics:print figures for Prometheus'
		'mail:show or send the mails that wait'
		'status:tell how rcrond is'
		'next:tell when jobs are due next'
		'run:start a job now'
		'stop:end a run'
		'pause:let jobs not be started for a while'
		'resume:end a pause before its time'
		'nodes:list the nodes, or test them'
		'reload:let rcrond read its files again'
	)
	conf=('(--help -h)--conf=[the configuration]:configuration:_files')
	json=('(--help -h)--json[print JSON]')
	record=('(--help -h)--history=[the folder of the record]:folder:_files -/')
	socket=('(--help -h)--socket=[the socket of rcrond]:socket:_files')
	help=('(- *)'{-h,--help}'[all about this word]')

	_arguments -C \
		'(- *)'{-h,--help}'[list the words]' \
		'(- *)--version[show the version]' \
		'1: :->word' \
		'*:: :->behind' && ret=0
	case $state in
	word)
		_describe -t commands 'word' words_of && ret=0
		;;
	behind)
		case $words[1] in
		state)
			if [[ $words[2] == set && CURRENT -gt 2 ]]; then
				shift words
				((CURRENT--))
				_arguments $conf $json $help \
					'--state-file=[write this file]:state file:_files' \
					'--instance=[the VRRP instance or group that the word is for]:instance: ' \
					'--event=[what was told]:event:(MASTER BACKUP FAULT STOP DELETED MASTER_RX_LOWER_PRI)' \
					'--writer=[who says so]:name:_users' \
					'--writer-pid=[the process that stands behind the word]:process:_pids' \
					'--valid-for=[the word holds so long]:time:(30s 90s 5m 1h 1d)' \
					'--new-epoch[a new epoch even if the word is the old one]' \
					'1:word:(active passive)' && ret=0
			else
				_arguments $conf $json $help \
					'--is=[print nothing: exit 0 if the verdict is this word]:word:(active passive)' \
					'1:word:(set)' && ret=0
			fi
			;;
		follow)
			_arguments $conf $help \
				'--valid-for=[an active word holds so long]:time:(30s 90s 5m 1h 1d)' \
				'*:NAME=STATE_FILE, then the FIFO:_files' && ret=0
			;;
		doctor)
			_arguments $conf $json $help && ret=0
			;;
		runs)
			_arguments $conf $record $json $help \
				'--job=[the runs of this job alone]:job:_rcronctl_record jobs job' \
				'--failed[those that failed or were interrupted]' \
				'--skipped[those that were due and did not happen]' \
				'--all[all of them]' \
				'--since=[those that began since]:time:(1h 1d 7d 00\:00)' \
				'--host=[those of this machine alone]:host:_hosts' \
				'--limit=[the newest so many]:number:(20 100 1000)' \
				'--follow[wait for more]' && ret=0
			;;
		show)
			_arguments $conf $record $json $help \
				'1:run:_rcronctl_record runs run' && ret=0
			;;
		jobs)
			_arguments $conf $record $socket $json $help && ret=0
			;;
		why)
			_arguments $conf $record $socket $json $help \
				'--at=[the tick]:time: ' \
				'1:job:_rcronctl_record jobs job' && ret=0
			;;
		metrics)
			_arguments $conf $record $json $help \
				'--textfile=[write them to this file]:file:_files' && ret=0
			;;
		mail)
			_arguments $conf $record $json $help \
				'--quiet[say nothing]' \
				'1:word:(list send drop)' && ret=0
			;;
		nodes)
			if [[ $words[2] == test && CURRENT -gt 2 ]]; then
				shift words
				((CURRENT--))
				_arguments $conf $socket $json $help \
					'1:node:_rcronctl_nodes' && ret=0
			else
				_arguments $conf $socket $json $help \
					'1:word:(test)' && ret=0
			fi
			;;
		status | reload)
			_arguments $conf $socket $json $help && ret=0
			;;
		next)
			_arguments $conf $socket $json $help \
				'--cron-dir=[what the files of this tree say]:folder:_files -/' \
				'--count=[so many times of each]:number:(1 10 100)' \
				'1:job:_rcronctl_record jobs job' && ret=0
			;;
		run)
			_arguments $conf $socket $json $help \
				'--follow[wait for the end]' \
				'1:job:_rcronctl_record jobs job' && ret=0
			;;
		stop)
			_arguments $conf $socket $json $help \
				'1:run:_rcronctl_running' && ret=0
			;;
		pause)
			_arguments $conf $socket $json $help \
				'--until=[its end]:time:(06\:00 12\:00 18\:00 00\:00)' \
				'--for=[how long it is]:time:(30m 1h 2h 1d)' \
				'--why=[the reason]:text: ' \
				'1:job:_rcronctl_targets' && ret=0
			;;
		resume)
			_arguments $conf $socket $json $help \
				'1:job:_rcronctl_targets' && ret=0
			;;
		esac
		;;
	esac
	return ret
}

# WORD KEY: what the record, or rcrond, has under this key.
_rcronctl_record() {
	local -a found
	found=(${(f)"$(rcronctl $1 --json 2>/dev/null | sed -n 's/^    "'$2'": "\([^"\\]*\)",$/\1/p')"})
	compadd -a found
}

# A job, or all of them.
_rcronctl_targets() {
	compadd all
	_rcronctl_record jobs job
}

# A node, or all of them.
_rcronctl_nodes() {
	compadd all
	_rcronctl_record nodes node
}

# The ids of the runs that go on.
_rcronctl_running() {
	local -a found
	found=(${(f)"$(rcronctl status --json 2>/dev/null | sed -n 's/^      "run": "\([^"\\]*\)",$/\1/p')"})
	compadd -a found
}

_rcronctl "$@"
