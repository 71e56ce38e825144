# rcronctl.bash: what bash offers behind rcronctl and a TAB.
#
# Goes to:  /usr/share/bash-completion/completions/rcronctl   (the package bash-completion loads it when it is wanted)
# Check:    complete -p rcronctl        after a first TAB; or without that package:  . rcronctl.bash

_rcronctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word='' words='' options='' i
	# bash takes --conf=FILE and NAME=FILE for three words.
	[[ $prev != = ]] || prev=${COMP_WORDS[COMP_CWORD - 2]}
	cur=${cur#=}
	COMPREPLY=()
	if ((COMP_CWORD > 1)); then
		word=${COMP_WORDS[1]}
		if [[ $word == state && ${COMP_WORDS[2]} == set ]] && ((COMP_CWORD > 2)); then word='state set'; fi
		if [[ $word == nodes && ${COMP_WORDS[2]} == test ]] && ((COMP_CWORD > 2)); then word='nodes test'; fi
		! _rcronctl_value "$prev" || return
	fi

	case $word in
	'')
		words='state follow doctor runs show jobs why metrics mail status next run stop pause resume nodes reload'
		options='--help --version'
		;;
	state)
		((COMP_CWORD > 2)) || words='set'
		options='--conf --is --json --help'
		;;
	'state set')
		words='active passive'
		options='--conf --state-file --instance --event --writer --writer-pid --valid-for --new-epoch --json --help'
		;;
	follow)
		options='--conf --valid-for --help'
		if [[ $cur != -* ]]; then # the FIFO, or the state file behind NAME=
			_rcronctl_files
			return
		fi
		;;
	doctor) options='--conf --json --help' ;;
	runs) options='--conf --history --job --failed --skipped --all --since --host --limit --follow --json --help' ;;
	show)
		options='--conf --history --json --help'
		((COMP_CWORD > 2)) || words=$(_rcronctl_record runs run)
		;;
	jobs) options='--conf --history --socket --json --help' ;;
	why)
		options='--conf --history --socket --at --json --help'
		((COMP_CWORD > 2)) || words=$(_rcronctl_record jobs job)
		;;
	metrics) options='--conf --history --textfile --json --help' ;;
	mail)
		options='--conf --history --quiet --json --help'
		((COMP_CWORD > 2)) || words='list send drop'
		;;
	status | reload) options='--conf --socket --json --help' ;;
	nodes)
		options='--conf --socket --json --help'
		((COMP_CWORD > 2)) || words='test'
		;;
	'nodes test')
		options='--conf --socket --json --help'
		((COMP_CWORD > 3)) || words="all $(_rcronctl_record nodes node)"
		;;
	next)
		options='--conf --socket --cron-dir --count --json --help'
		((COMP_CWORD > 2)) || words=$(_rcronctl_record jobs job)
		;;
	run)
		options='--conf --socket --follow --json --help'
		((COMP_CWORD > 2)) || words=$(_rcronctl_record jobs job)
		;;
	stop)
		options='--conf --socket --json --help'
		((COMP_CWORD > 2)) || words=$(_rcronctl_running)
		;;
	pause)
		options='--conf --socket --until --for --why --json --help'
		((COMP_CWORD > 2)) || words="all $(_rcronctl_record jobs job)"
		;;
	resume)
		options='--conf --socket --json --help'
		((COMP_CWORD > 2)) || words="all $(_rcronctl_record jobs job)"
		;;
	esac
	for ((i = 2; i < COMP_CWORD; i++)); do # each option once, and one word
		options=" $options "
		options=${options/ "${COMP_WORDS[i]}" / }
		[[ $word != 'state set' || ${COMP_WORDS[i]} != @(active|passive) ]] || words=''
	done
	[[ $cur == -* || -z $words ]] || options=''
	mapfile -t COMPREPLY < <(compgen -W "$words $options" -- "$cur")
}

_rcronctl_value() # OPTION; fails where it has none
{
	local values=''
	case $1 in
	--conf | --state-file | --history | --textfile | --socket | --cron-dir) _rcronctl_files ;;
	--job) values=$(_rcronctl_record jobs job) ;;
	--host) values=$HOSTNAME ;;
	--limit) values='20 100 1000' ;;
	--since) values='1h 1d 7d 00:00' ;;
	--count) values='1 10 100' ;;
	--until) values='06:00 12:00 18:00 00:00' ;;
	--for) values='30m 1h 2h 1d' ;;
	--is) values='active passive' ;;
	--event) values='MASTER BACKUP FAULT STOP DELETED MASTER_RX_LOWER_PRI' ;;
	--valid-for) values='30s 90s 5m 1h 1d' ;;
	--writer) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
	--writer-pid) values=$(cd /proc && printf '%s ' [1-9]*) ;;
	--instance | --at | --why) ;;
	*) return 1 ;;
	esac
	[[ -z $values ]] || mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
}

_rcronctl_record() # WORD KEY: what the record, or rcrond, has under this key
{
	rcronctl "$1" --json 2>/dev/null | sed -n 's/^    "'"$2"'": "\([^"\\]*\)",$/\1/p'
}

_rcronctl_running() # the ids of the runs that go on
{
	rcronctl status --json 2>/dev/null | sed -n 's/^      "run": "\([^"\\]*\)",$/\1/p'
}

_rcronctl_files()
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

complete -F _rcronctl rcronctl
