# rcrond.fish: what fish offers behind rcrond and a TAB.
#
# Goes to:  /usr/share/fish/vendor_completions.d/rcrond.fish   (or ~/.config/fish/completions/)
# Check:    complete -C 'rcrond --ch'

# True where this option, or one of these, has been typed.
function __rcrond_has
    for option in $argv
        contains -- $option (commandline -opc); and return 0
    end
    return 1
end

# The jobs of the tree that holds where nothing else is named.
function __rcrond_jobs
    rcrond --next --json 2>/dev/null | string replace -rf '^    "job": "([^"\\\\]*)",$' '$1'
end

function __rcrond_zones
    echo UTC
    string replace -rf '^[^#\t]+\t[^\t]+\t([^\t]+).*' '$1' </usr/share/zoneinfo/zone1970.tab 2>/dev/null
end

complete -c rcrond -f
complete -c rcrond -l cron-dir -x -a '(__fish_complete_directories)' -d 'the tree of job files'
complete -c rcrond -l crontab -r -F -d 'a crontab as well, or a folder of them'
complete -c rcrond -l timezone -x -a '(__rcrond_zones)' -d 'for jobs that name none'
complete -c rcrond -l mailto -x -d 'who gets the output of jobs that name nobody'
complete -c rcrond -l conf -r -F -d 'the configuration'
complete -c rcrond -l jobsDirectory -x -a '(__fish_complete_directories)' -d 'a folder of job files of distcrond'
complete -c rcrond -l nodesDirectory -x -a '(__fish_complete_directories)' -d 'a folder of node files of distcrond'
complete -c rcrond -l healthCheckInterval -x -d 'how often a node that is down is asked again'
complete -c rcrond -l allowNoOwner -d 'jobs of distcrond need no owner'
complete -c rcrond -n 'not __rcrond_has --check --next' -l check -d 'say what is wrong with the files; run nothing'
complete -c rcrond -n 'not __rcrond_has --check --next' -l next -d 'show when the jobs are due next'
complete -c rcrond -n '__rcrond_has --check' -a '(__fish_complete_directories)'
complete -c rcrond -n '__rcrond_has --next' -a '(__rcrond_jobs)'
complete -c rcrond -l json -d 'print JSON'
complete -c rcrond -l help -s h -d 'show the help'
complete -c rcrond -l version -d 'show the version'
