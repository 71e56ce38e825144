# rcronctl.fish: what fish offers behind rcronctl and a TAB.
#
# Goes to:  /usr/share/fish/vendor_completions.d/rcronctl.fish   (or ~/.config/fish/completions/)
# Check:    complete -C 'rcronctl st'

# The word that has been typed so far: nothing, "state", "state set", "nodes test", ...
function __rcronctl_word
    set -l words (commandline -opc)
    if test (count $words) -lt 2
        return
    else if test "$words[2]" = state; and test (count $words) -gt 2; and test "$words[3]" = set
        echo 'state set'
    else if test "$words[2]" = nodes; and test (count $words) -gt 2; and test "$words[3]" = test
        echo 'nodes test'
    else
        echo $words[2]
    end
end

function __rcronctl_is
    contains -- "$(__rcronctl_word)" $argv
end

# True straight behind "nodes test", where a node may stand.
function __rcronctl_may_name_node
    test (count (commandline -opc)) -eq 3; and __rcronctl_is 'nodes test'
end

# True straight behind "state", where "set" may stand.
function __rcronctl_may_set
    test (count (commandline -opc)) -eq 2; and __rcronctl_is state
end

function __rcronctl_lacks_state
    __rcronctl_is 'state set'; and not string match -qr '^(active|passive)$' -- (commandline -opc)
end

# True straight behind the word, where one more may stand.
function __rcronctl_behind
    test (count (commandline -opc)) -eq 2; and __rcronctl_is $argv
end

# WORD KEY: what the record, or rcrond, has under this key.
function __rcronctl_record
    rcronctl $argv[1] --json 2>/dev/null | string replace -rf '^    "'$argv[2]'": "([^"\\\\]*)",$' '$1'
end

# The ids of the runs that go on.
function __rcronctl_running
    rcronctl status --json 2>/dev/null | string replace -rf '^      "run": "([^"\\\\]*)",$' '$1'
end

function __rcronctl_pids
    string match -r '[0-9]+$' -- /proc/*
end

complete -c rcronctl -f
complete -c rcronctl -n '__rcronctl_is ""' -a state -d 'show, or write, what this machine is'
complete -c rcronctl -n '__rcronctl_is ""' -a follow -d 'read the notify FIFO of keepalived'
complete -c rcronctl -n '__rcronctl_is ""' -a doctor -d 'say what would go wrong on this machine'
complete -c rcronctl -n '__rcronctl_is ""' -a runs -d 'list the runs'
complete -c rcronctl -n '__rcronctl_is ""' -a show -d 'show one run, with its output'
complete -c rcronctl -n '__rcronctl_is ""' -a jobs -d 'list the jobs, and how they do'
complete -c rcronctl -n '__rcronctl_is ""' -a why -d 'tell what became of a tick'
complete -c rcronctl -n '__rcronctl_is ""' -a metrics -d 'print figures for Prometheus'
complete -c rcronctl -n '__rcronctl_is ""' -a mail -d 'show or send the mails that wait'
complete -c rcronctl -n '__rcronctl_is ""' -a status -d 'tell how rcrond is'
complete -c rcronctl -n '__rcronctl_is ""' -a next -d 'tell when jobs are due next'
complete -c rcronctl -n '__rcronctl_is ""' -a run -d 'start a job now'
complete -c rcronctl -n '__rcronctl_is ""' -a stop -d 'end a run'
complete -c rcronctl -n '__rcronctl_is ""' -a pause -d 'let jobs not be started for a while'
complete -c rcronctl -n '__rcronctl_is ""' -a resume -d 'end a pause before its time'
complete -c rcronctl -n '__rcronctl_is ""' -a nodes -d 'list the nodes, or test them'
complete -c rcronctl -n '__rcronctl_is ""' -a reload -d 'let rcrond read its files again'
complete -c rcronctl -n '__rcronctl_is ""' -l version -d 'show the version'
complete -c rcronctl -l help -s h -d 'show the help'

complete -c rcronctl -n 'not __rcronctl_is ""' -l conf -r -F -d 'the configuration'
complete -c rcronctl -n '__rcronctl_is state "state set" doctor runs show jobs why metrics mail status next run stop pause resume nodes "nodes test" reload' -l json -d 'print JSON'
complete -c rcronctl -n '__rcronctl_is state' -l is -x -a 'active passive' -d 'print nothing: exit 0 if the verdict is this word'
complete -c rcronctl -n '__rcronctl_may_set' -a set -d 'write the word of this machine'

complete -c rcronctl -n '__rcronctl_lacks_state' -a active -d 'jobs run on this machine'
complete -c rcronctl -n '__rcronctl_lacks_state' -a passive -d 'this machine stands by'
complete -c rcronctl -n '__rcronctl_is "state set"' -l state-file -r -F -d 'write this file'
complete -c rcronctl -n '__rcronctl_is "state set"' -l instance -x -d 'the VRRP instance or group that the word is for'
complete -c rcronctl -n '__rcronctl_is "state set"' -l event -x -a 'MASTER BACKUP FAULT STOP DELETED MASTER_RX_LOWER_PRI' -d 'what was told'
complete -c rcronctl -n '__rcronctl_is "state set"' -l writer -x -a '(__fish_complete_users)' -d 'who says so'
complete -c rcronctl -n '__rcronctl_is "state set"' -l writer-pid -x -a '(__rcronctl_pids)' -d 'the process that stands behind the word'
complete -c rcronctl -n '__rcronctl_is "state set"' -l new-epoch -d 'a new epoch even if the word is the old one'
complete -c rcronctl -n '__rcronctl_is "state set" follow' -l valid-for -x -a '30s 90s 5m 1h 1d' -d 'the word holds so long'
complete -c rcronctl -n '__rcronctl_is follow' -F

complete -c rcronctl -n '__rcronctl_is runs show jobs why metrics mail' -l history -r -F -d 'the folder of the record'
complete -c rcronctl -n '__rcronctl_is runs' -l job -x -a '(__rcronctl_record jobs job)' -d 'the runs of this job alone'
complete -c rcronctl -n '__rcronctl_is runs' -l failed -d 'those that failed or were interrupted'
complete -c rcronctl -n '__rcronctl_is runs' -l skipped -d 'those that were due and did not happen'
complete -c rcronctl -n '__rcronctl_is runs' -l all -d 'all of them'
complete -c rcronctl -n '__rcronctl_is runs' -l since -x -a '1h 1d 7d 00:00' -d 'those that began since'
complete -c rcronctl -n '__rcronctl_is runs' -l host -x -a '(hostname)' -d 'those of this machine alone'
complete -c rcronctl -n '__rcronctl_is runs' -l limit -x -a '20 100 1000' -d 'the newest so many'
complete -c rcronctl -n '__rcronctl_is runs' -l follow -d 'wait for more'
complete -c rcronctl -n '__rcronctl_behind show' -a '(__rcronctl_record runs run)'
complete -c rcronctl -n '__rcronctl_behind why' -a '(__rcronctl_record jobs job)'
complete -c rcronctl -n '__rcronctl_is why' -l at -x -d 'the tick'
complete -c rcronctl -n '__rcronctl_is metrics' -l textfile -r -F -d 'write them to this file'
complete -c rcronctl -n '__rcronctl_behind mail' -a 'list send drop'
complete -c rcronctl -n '__rcronctl_is mail' -l quiet -d 'say nothing'

complete -c rcronctl -n '__rcronctl_is jobs why status next run stop pause resume nodes "nodes test" reload' -l socket -r -F -d 'the socket of rcrond'
complete -c rcronctl -n '__rcronctl_behind next run pause resume' -a '(__rcronctl_record jobs job)'
complete -c rcronctl -n '__rcronctl_behind pause resume' -a all -d 'all jobs'
complete -c rcronctl -n '__rcronctl_behind stop' -a '(__rcronctl_running)'
complete -c rcronctl -n '__rcronctl_behind nodes' -a test -d 'ask them whether they are there'
complete -c rcronctl -n __rcronctl_may_name_node -a '(__rcronctl_record nodes node)'
complete -c rcronctl -n __rcronctl_may_name_node -a all -d 'all nodes'
complete -c rcronctl -n '__rcronctl_is next' -l cron-dir -r -F -d 'what the files of this tree say'
complete -c rcronctl -n '__rcronctl_is next' -l count -x -a '1 10 100' -d 'so many times of each'
complete -c rcronctl -n '__rcronctl_is run' -l follow -d 'wait for the end'
complete -c rcronctl -n '__rcronctl_is pause' -l until -x -a '06:00 12:00 18:00 00:00' -d 'its end'
complete -c rcronctl -n '__rcronctl_is pause' -l for -x -a '30m 1h 2h 1d' -d 'how long it is'
complete -c rcronctl -n '__rcronctl_is pause' -l why -x -d 'the reason'
