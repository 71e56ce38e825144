# rcrond.bash: what bash offers behind rcrond and a TAB.
#
# Goes to:  /usr/share/bash-completion/completions/rcrond   (the package bash-completion loads it when it is wanted)
# Check:    complete -p rcrond          after a first TAB; or without that package:  . rcrond.bash

_rcrond()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} action='' i
	local options='--cron-dir --crontab --timezone --mailto --conf --jobsDirectory --nodesDirectory --healthCheckInterval --allowNoOwner --check --next --json --help --version'
	# bash takes --conf=FILE for three words.
	[[ $prev != = ]] || prev=${COMP_WORDS[COMP_CWORD - 2]}
	cur=${cur#=}
	COMPREPLY=()
	case $prev in
	--cron-dir | --jobsDirectory | --nodesDirectory)
		_rcrond_paths -d
		return
		;;
	--crontab | --conf)
		_rcrond_paths -f
		return
		;;
	--timezone)
		mapfile -t COMPREPLY < <(compgen -W "$(_rcrond_zones)" -- "$cur")
		return
		;;
	--mailto | --healthCheckInterval) return ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do # each option once, but for --crontab; and one word
		case ${COMP_WORDS[i]} in
		--check | --next) action=${COMP_WORDS[i]} options=${options/--check --next /} ;;
		--crontab) ;;
		*) options=" $options " options=${options/ "${COMP_WORDS[i]}" / } ;;
		esac
	done
	if [[ $cur == -* || -z $action ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [[ $action == --check ]]; then
		_rcrond_paths -d
	else
		mapfile -t COMPREPLY < <(compgen -W "$(_rcrond_jobs)" -- "$cur")
	fi
}

# The jobs of the tree that holds where nothing else is named.
_rcrond_jobs()
{
	rcrond --next --json 2>/dev/null | sed -n 's/^    "job": "\([^"\\]*\)",$/\1/p'
}

_rcrond_zones()
{
	echo UTC
	awk '!/^#/ { print $3 }' /usr/share/zoneinfo/zone1970.tab 2>/dev/null
}

_rcrond_paths() # -f|-d
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

complete -F _rcrond rcrond
