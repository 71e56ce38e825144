# Prints what bash offers at the end of each line of standard input: LINE TAB OFFER TAB OFFER ...
# The completions are found as an interactive bash finds them, by the package bash-completion.
. /usr/share/bash-completion/bash_completion
while IFS= read -r line; do
	COMP_LINE=$line COMP_POINT=${#line}
	read -ra COMP_WORDS <<<"$(sed -E 's/[=:]+/ & /g' <<<"$line")" # as COMP_WORDBREAKS says
	[[ $line != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
	face=${COMP_WORDS[0]}
	if ! complete -p "$face" &>/dev/null; then
		if declare -F _completion_loader >/dev/null; then _completion_loader "$face"; else _comp_complete_load "$face"; fi
	fi
	spec=$(complete -p "$face")
	spec=${spec#*-F }
	"${spec%% *}" "$face" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
	printf '%s' "$line"
	printf '\t%s' "${COMPREPLY[@]}"
	echo
done
