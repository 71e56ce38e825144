# rcron.bash: what bash offers behind rcron and a TAB: its options, and behind them what it offers for the command.
#
# Goes to:  /usr/share/bash-completion/completions/rcron   (the package bash-completion loads it when it is wanted)
# Check:    complete -p rcron           after a first TAB

_rcron()
{
	local flags='--explain --shell --generate --preserve-status --help --version --'
	local valued=(--conf --on-passive --if --if-timeout --overlap --overlap-scope --splay --jitter --timeout --grace
		--error --success --retry --retry-delay --skip-exit --output --mail-every --ping
		--webhook --webhook-when --slack --name --nice --user --cwd --umask --env-file)
	local words=() starts=() line=$COMP_LINE part i last options
	COMPREPLY=()
	# bash parts a word at = and : as well; here one goes on as long as no blank ends it.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		part=${COMP_WORDS[i]}
		if ((i == 0)) || [[ $line == [[:blank:]]* ]]; then
			words+=("$part")
			starts+=("$i")
			line=${line#"${line%%[![:blank:]]*}"}
		else
			words[-1]+=$part
		fi
		line=${line#"$part"}
	done
	last=$((${#words[@]} - 1))

	# Up to the command's first word.
	i=1
	while ((i < last)) && [[ ${words[i]} == -?* ]]; do
		if [[ ${words[i]} == -- ]]; then
			((i++))
			break
		elif [[ " ${valued[*]} --as " == *" ${words[i]} "* ]]; then
			((i++))
			if ((i == last)); then
				_rcron_value "${words[i - 1]}" "${words[i]}"
				return
			fi
		fi
		((i++))
	done
	if ((i == last)) && [[ ${words[i]} == -* && ${words[i - 1]} != -- ]]; then
		if [[ ${words[i]} == --*=* ]]; then
			_rcron_value "${words[i]%%=*}" "${words[i]#*=}"
			return
		fi
		options="$flags ${valued[*]}"
		((i > 1)) || options+=' --as' # it must come first
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "${words[i]}")
		return
	fi
	while ((i <= last)) && [[ ${words[i]} == [A-Za-z_]*([A-Za-z0-9_])=* ]]; do
		if ((i == last)); then
			_rcron_value '' "${words[i]#*=}"
			return
		fi
		((i++))
	done
	if declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "${starts[i]}"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "${starts[i]}"
	elif ((i == last)); then
		mapfile -t COMPREPLY < <(compgen -c -- "${words[i]}")
	else
		_rcron_value '' "${words[last]}"
	fi
}

_rcron_value() # OPTION BEGINNING
{
	local cur=${COMP_WORDS[COMP_CWORD]} values=''
	case $1 in
	--as) values='rcron rcrond rcronctl' ;;
	--on-passive) values='finish stop' ;;
	--overlap) values='allow skip wait clobber' ;;
	--overlap-scope) values='job tree' ;;
	--error) values='if-nonzero if-stderr' ;;
	--webhook-when) values='change failure always' ;;
	--if-timeout | --splay | --jitter | --timeout | --grace | --retry-delay | --mail-every) values='30s 1m 10m 1h 1d' ;;
	--umask) values='022 027 077' ;;
	--success | --retry | --skip-exit | --ping | --webhook | --slack | --name | --nice) return ;;
	--user) mapfile -t COMPREPLY < <(compgen -u -- "$2") ;;
	--if) mapfile -t COMPREPLY < <(compgen -c -- "$2") ;;
	--cwd) _rcron_path -d "$2" ;;
	--env-file) _rcron_path -f "$2" ;;
	--output)
		values='cron syslog if-error:'
		case $2 in
		if-error:/*) _rcron_path -f "${2#if-error:}" if-error: ;;
		if-error:*) values='if-error:cron if-error:syslog' ;;
		/*) _rcron_path -f "$2" ;;
		esac
		;;
	*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$2")
		;;
	esac
	[[ -z $values || ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -W "$values" -- "$2")
	[[ ${COMPREPLY[0]} != *[:/] ]] || compopt -o nospace 2>/dev/null
	# bash puts what is offered behind the last = or : of the word.
	[[ $cur != [=:] ]] || cur=''
	COMPREPLY=("${COMPREPLY[@]#"${2%"$cur"}"}")
}

_rcron_path() # -f|-d BEGINNING [PREFIX]: only absolute paths are taken
{
	compopt -o filenames 2>/dev/null
	if [[ -z $2 ]]; then
		COMPREPLY=(/)
	elif [[ $2 == /* ]]; then
		mapfile -t COMPREPLY < <(compgen -P "${3-}" "$1" -- "$2")
	fi
}

complete -F _rcron rcron
