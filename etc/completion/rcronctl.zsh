#compdef rcronctl
# rcronctl.zsh: what zsh offers behind rcronctl and a TAB.
#
# Goes to:  a folder of $fpath, as _rcronctl: /usr/share/zsh/vendor-completions or /usr/local/share/zsh/site-functions
# Check:    print $_comps[rcronctl]     (in a shell where compinit has run, and after rm ~/.zcompdump)

_rcronctl() {
	local curcontext=$curcontext state line ret=1
	local -a words_of conf json
	words_of=(
		'state:show, or write, what this machine is'
		'follow:read the notify FIFO of keepalived'
		'doctor:say what would go wrong on this machine'
	)
	conf=('(--help -h)--conf=[the configuration]:configuration:_files')
	json=('(--help -h)--json[print JSON]')
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
		esac
		;;
	esac
	return ret
}

_rcronctl "$@"
