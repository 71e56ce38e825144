#compdef rcrond
# rcrond.zsh: what zsh offers behind rcrond and a TAB.
#
# Goes to:  a folder of $fpath, as _rcrond: /usr/share/zsh/vendor-completions or /usr/local/share/zsh/site-functions
# Check:    print $_comps[rcrond]       (in a shell where compinit has run, and after rm ~/.zcompdump)

_rcrond() {
	local curcontext=$curcontext state line ret=1
	_arguments -C \
		'--cron-dir=[the tree of job files]:folder:_path_files -/' \
		'*--crontab=[a crontab as well, or a folder of them]:crontab:_files' \
		'--timezone=[for jobs that name none]:zone:_rcrond_zones' \
		'--mailto=[who gets the output of jobs that name nobody]:address: ' \
		'--conf=[the configuration]:configuration:_files' \
		'--jobsDirectory=[a folder of job files of distcrond]:folder:_path_files -/' \
		'--nodesDirectory=[a folder of node files of distcrond]:folder:_path_files -/' \
		'--healthCheckInterval=[how often a node that is down is asked again]:time: ' \
		'--allowNoOwner[jobs of distcrond need no owner]' \
		'(--next)--check[say what is wrong with the files; run nothing]' \
		'(--check)--next[show when the jobs are due next]' \
		'--json[print JSON]' \
		'(- *)'{-h,--help}'[show the help]' \
		'(- *)--version[show the version]' \
		'1: :->word' && ret=0
	if [[ $state == word ]]; then
		if ((${words[(I)--check]})); then
			_path_files -/ && ret=0
		elif ((${words[(I)--next]})); then
			_rcrond_jobs && ret=0
		fi
	fi
	return ret
}

# The jobs of the tree that holds where nothing else is named.
_rcrond_jobs() {
	local -a jobs
	jobs=(${(f)"$(rcrond --next --json 2>/dev/null | sed -n 's/^    "job": "\([^"\\]*\)",$/\1/p')"})
	compadd -a jobs
}

_rcrond_zones() {
	local -a zones
	zones=(UTC ${(f)"$(awk '!/^#/ { print $3 }' /usr/share/zoneinfo/zone1970.tab 2>/dev/null)"})
	compadd "$@" -a zones
}

_rcrond "$@"
