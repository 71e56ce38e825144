# rcron.bash: what bash offers behind rcron and a TAB: its options, and behind them what it offers for the command.
#
# Goes to:  /usr/share/bash-completion/completions/rcron   (the package bash-completion loads it when it is wanted)
# Check:    complete -p rcron           after a first TAB

_rcron()
{
	local cur=${COMP_WORDS[COMP_CWORD]} i=1 word value options
	COMPREPLY=()
	# Up to the command's first word. bash takes --conf=FILE and NAME=VALUE for three words each.
	while ((i < COMP_CWORD)); do
		word=${COMP_WORDS[i]}
		if [[ $word == -- ]]; then
			((i++))
			break
		elif [[ $word == --@(conf|on-passive|as) ]]; then
			value=$((i + 1))
			[[ ${COMP_WORDS[value]} != = ]] || ((value++))
		elif [[ $word == -* ]]; then
			((i++))
			continue
		elif [[ ${COMP_WORDS[i + 1]} == = ]]; then
			value=$((i + 2))
		else
			break
		fi
		if ((value >= COMP_CWORD)); then
			_rcron_value "$word" "${cur#=}"
			return
		fi
		i=$((value + 1))
	done
	if [[ $i -eq $COMP_CWORD && $cur == -* && ${COMP_WORDS[i - 1]} != -- ]]; then
		options='--conf --explain --shell --on-passive --generate --help --version --'
		((i > 1)) || options+=' --as' # it must come first
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "$i"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$i"
	elif ((i == COMP_CWORD)); then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
	else
		_rcron_value '' "$cur"
	fi
}

_rcron_value() # OPTION BEGINNING
{
	case $1 in
	--on-passive) mapfile -t COMPREPLY < <(compgen -W 'finish stop' -- "$2") ;;
	--as) mapfile -t COMPREPLY < <(compgen -W 'rcron rcrond rcronctl' -- "$2") ;;
	*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$2")
		;;
	esac
}

complete -F _rcron rcron
