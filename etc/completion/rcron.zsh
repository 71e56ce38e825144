#compdef rcron
# rcron.zsh: what zsh offers behind rcron and a TAB: its options, and behind them what it offers for the command.
#
# Goes to:  a folder of $fpath, as _rcron: /usr/share/zsh/vendor-completions or /usr/local/share/zsh/site-functions
# Check:    print $_comps[rcron]        (in a shell where compinit has run, and after rm ~/.zcompdump)

_rcron() {
	local curcontext=$curcontext state line ret=1
	local -a first
	((CURRENT > 2)) && [[ $words[2] != --as ]] || first=('(- *)--as=[be this face, where links cannot be made]:face:(rcron rcrond rcronctl)')

	_arguments -C -S -A '-*' $first \
		'--conf=[the configuration]:configuration:_files' \
		'(--generate)--explain[run nothing; say what would happen here, and why]' \
		'(--generate)--shell[join the words with blanks for /bin/sh -c]' \
		'(--generate)--on-passive=[a job whose machine turns passive]:what becomes of it:(finish stop)' \
		'(--explain --shell --on-passive *)--generate[write default_state to the state file, and log it]' \
		'(- *)'{-h,--help}'[show the help]' \
		'(- *)--version[show the version]' \
		'*:: :->command' && ret=0
	if [[ $state == command ]]; then
		while ((CURRENT > 1)) && [[ $words[1] == -- || $words[1] == [A-Za-z_]*=* ]]; do
			shift words
			((CURRENT--))
		done
		_normal -p rcron && ret=0
	fi
	return ret
}

_rcron "$@"
