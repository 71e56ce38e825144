#compdef rcron
# rcron.zsh: what zsh offers behind rcron and a TAB: its options, and behind them what it offers for the command.
#
# Goes to:  a folder of $fpath, as _rcron: /usr/share/zsh/vendor-completions or /usr/local/share/zsh/site-functions
# Check:    print $_comps[rcron]        (in a shell where compinit has run, and after rm ~/.zcompdump)

_rcron() {
	local curcontext=$curcontext state line ret=1 time='time:(30s 1m 10m 1h 1d)'
	local -a first
	((CURRENT > 2)) && [[ $words[2] != --as ]] || first=('(- *)--as=[be this face, where links cannot be made]:face:(rcron rcrond rcronctl)')

	_arguments -C -S -A '-*' $first \
		'--conf=[the configuration]:configuration:_files' \
		'(--generate)--explain[run nothing; say what would happen here, and why]' \
		'(--generate)--shell[join the words with blanks for /bin/sh -c]' \
		'(--generate)--on-passive=[a job whose machine turns passive]:what becomes of it:(finish stop)' \
		'(--explain --shell --on-passive *)--generate[write default_state to the state file, and log it]' \
		'--if=[run only if this shell line exits 0]:shell line:_cmdstring' \
		"--if-timeout=[how long that may take]:$time" \
		'--overlap=[while an earlier run goes on]:what to do:(allow skip wait clobber)' \
		'--overlap-scope=[until when a run goes on]:scope:(job tree)' \
		"--splay=[start later, by the share of this machine]:$time" \
		"--jitter=[start later, by a random time]:$time" \
		"--timeout=[end the job after so long]:$time" \
		"--grace=[from TERM to KILL]:$time" \
		'--preserve-status[after a timeout exit as the job did]' \
		'--error=[what is a failure]:failure:(if-nonzero if-stderr)' \
		'--success=[exit statuses that are no failure]:statuses, with commas: ' \
		'--retry=[start a failed job again]:how often at most: ' \
		"--retry-delay=[before the first retry]:$time" \
		'--skip-exit=[exit status where nothing was run]:status: ' \
		'*--output=[where the output goes]:file, address, syslog or cron:_rcron_output' \
		"--mail-every=[at most one mail in this time]:$time" \
		'--ping=[tell start and end to this service]:URL:_urls' \
		'--webhook=[tell failure and recovery to this URL]:URL:_urls' \
		'--webhook-when=[what the webhook is told of]:runs:(change failure always)' \
		'--slack=[tell failure and recovery to a chat]:URL:_urls' \
		'--name=[the name of the job]:name: ' \
		'--nice=[the priority, -20 to 19]:priority: ' \
		'--user=[run as this user]:user:_users' \
		'--cwd=[the folder to run in]:folder:_rcron_path -/' \
		'--umask=[the umask]:mode:(022 027 077)' \
		'--env-file=[NAME=value lines for the environment]:file:_rcron_path' \
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

_rcron_output() {
	local ret=1
	compset -P if-error: || { compadd "$@" -S '' if-error: && ret=0; }
	compadd "$@" cron syslog && ret=0
	[[ $PREFIX != /* ]] || { _files && ret=0; }
	return ret
}

# Only absolute paths are taken.
_rcron_path() {
	if [[ -z $PREFIX ]]; then
		compadd -S '' /
	elif [[ $PREFIX == /* ]]; then
		_path_files "$@"
	fi
}

_rcron "$@"
