# Prints what zsh offers at the end of each line of standard input: LINE TAB OFFER TAB OFFER ...
# An interactive zsh behind a terminal gets the line and a TAB; what its completion adds is noted on the way.
#
#     zsh -f complete.zsh FOLDER-OF-COMPLETIONS
zmodload zsh/zpty
hits=$(mktemp)
zpty shell zsh -f -i
type() { zpty -w shell "$1"; }
type "PROMPT= RPROMPT= LISTMAX=9999 KEYTIMEOUT=1; setopt no_beep; unset zle_bracketed_paste; fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u"
type "compadd() {
  if [[ \" \$* \" == *\\ -[OAD]\\ * ]]; then builtin compadd \"\$@\"; return; fi
  local -a found; builtin compadd -O found \"\$@\"; (( ! \$#found )) || print -rl -- \$found >>$hits; builtin compadd \"\$@\"
}"
type "finish() { BUFFER=; print -r -- --end >>$hits }; zle -N finish; bindkey '^X' finish; bindkey '^I' complete-word"
while IFS= read -r line; do
	: >$hits
	zpty -w -n shell "$line"$'\t\x18'
	for ((i = 0; i < 400; i++)); do
		while zpty -r -t shell junk; do :; done
		grep -qx -- --end $hits && break
		sleep 0.02
	done
	print -r -- "$line"$'\t'"${(pj:\t:)${(f)"$(grep -vx -- --end $hits)"}}"
done
zpty -d shell
rm $hits
