# rcron.fish: what fish offers behind rcron and a TAB: its options, and behind them what it offers for the command.
#
# Goes to:  /usr/share/fish/vendor_completions.d/rcron.fish   (or ~/.config/fish/completions/)
# Check:    complete -C 'rcron --conf /dev/null ec'

# The options that have a value.
set -g __rcron_valued --conf --on-passive --as --if --if-timeout --overlap --overlap-scope --splay --jitter --timeout \
    --grace --error --success --retry --retry-delay --skip-exit --output --mail-every --ping --webhook --webhook-when \
    --slack --name --nice --user --cwd --umask --env-file

# The command as far as it has been typed: what stands behind the options and the assignments. Fails where an option,
# or the value of one, is being typed.
function __rcron_command
    set -l words (commandline -opc) (commandline -ct)
    set -e words[1]
    while set -q words[2]
        switch $words[1]
            case --
                set -e words[1]
                break
            case $__rcron_valued
                set -e words[1]
                set -q words[2]; or return 1
                set -e words[1]
            case '-*'
                set -e words[1]
            case '*'
                break
        end
    end
    while set -q words[2]; and string match -qr '^[A-Za-z_][A-Za-z0-9_]*=' -- $words[1]
        set -e words[1]
    end
    string match -q -- '-*' "$words[1]"; and return 1
    string join \n -- $words
    return 0 # not string's status, which says whether there was anything to join
end

# True as long as only options stand there.
function __rcron_has_no_command
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                return 1
            case $__rcron_valued
                set -e words[1]
            case '-*'
            case '*'
                return 1
        end
        set -q words[1]; and set -e words[1]
    end
    return 0
end

# --as must come first.
function __rcron_may_have_face
    set -l words (commandline -opc)
    test (count $words) -eq 1; or test (count $words) -eq 2 -a "$words[2]" = --as
end

function __rcron_complete_command
    set -l words (__rcron_command); and __fish_complete_subcommand --commandline $words
end

# Of a value that must be an absolute path, or prefix and path: what may stand there. PREFIX "" or if-error:
function __rcron_paths # PREFIX [FILTER]
    set -l typed (string replace -r '^--[a-z-]+=' '' -- (commandline -ct))
    set -l path (string replace -r '^if-error:' '' -- $typed)
    string match -q -- '/*' "$path"; or return
    for found in (complete -C "'' $path")
        set found (string split -f 1 \t -- $found)
        if test "$argv[2]" != folders; or string match -q -- '*/' $found
            echo $argv[1]$found
        end
    end
end

function __rcron_outputs
    set -l prefix (string match -r -- 'if-error:' (commandline -ct))
    printf '%s\n' "$prefix"{cron,syslog}
    test -n "$prefix"; or echo if-error:
    __rcron_paths "$prefix"
end

complete -c rcron -x -a '(__rcron_complete_command)'
complete -c rcron -n __rcron_has_no_command -l conf -r -F -d 'the configuration'
complete -c rcron -n __rcron_has_no_command -l explain -d 'run nothing; say what would happen here, and why'
complete -c rcron -n __rcron_has_no_command -l shell -d 'join the words with blanks for /bin/sh -c'
complete -c rcron -n __rcron_has_no_command -l on-passive -x -a 'finish stop' -d 'a job whose machine turns passive'
complete -c rcron -n __rcron_has_no_command -l generate -d 'write default_state to the state file, and log it'
complete -c rcron -n __rcron_has_no_command -l if -x -a '(__fish_complete_command)' -d 'run only if this shell line exits 0'
complete -c rcron -n __rcron_has_no_command -l if-timeout -x -a '30s 1m 10m 1h 1d' -d 'how long that may take'
complete -c rcron -n __rcron_has_no_command -l overlap -x -a 'allow skip wait clobber' -d 'while an earlier run goes on'
complete -c rcron -n __rcron_has_no_command -l overlap-scope -x -a 'job tree' -d 'until when a run goes on'
complete -c rcron -n __rcron_has_no_command -l splay -x -a '30s 1m 10m 1h 1d' -d 'start later, by the share of this machine'
complete -c rcron -n __rcron_has_no_command -l jitter -x -a '30s 1m 10m 1h 1d' -d 'start later, by a random time'
complete -c rcron -n __rcron_has_no_command -l timeout -x -a '30s 1m 10m 1h 1d' -d 'end the job after so long'
complete -c rcron -n __rcron_has_no_command -l grace -x -a '30s 1m 10m 1h 1d' -d 'from TERM to KILL'
complete -c rcron -n __rcron_has_no_command -l preserve-status -d 'after a timeout exit as the job did'
complete -c rcron -n __rcron_has_no_command -l error -x -a 'if-nonzero if-stderr' -d 'what is a failure'
complete -c rcron -n __rcron_has_no_command -l success -x -d 'exit statuses that are no failure'
complete -c rcron -n __rcron_has_no_command -l retry -x -d 'start a failed job again, so often at most'
complete -c rcron -n __rcron_has_no_command -l retry-delay -x -a '30s 1m 10m 1h 1d' -d 'before the first retry'
complete -c rcron -n __rcron_has_no_command -l skip-exit -x -d 'exit status where nothing was run'
complete -c rcron -n __rcron_has_no_command -l output -x -a '(__rcron_outputs)' -d 'where the output goes'
complete -c rcron -n __rcron_has_no_command -l mail-every -x -a '30s 1m 10m 1h 1d' -d 'at most one mail in this time'
complete -c rcron -n __rcron_has_no_command -l ping -x -d 'tell start and end to this service'
complete -c rcron -n __rcron_has_no_command -l webhook -x -d 'tell failure and recovery to this URL'
complete -c rcron -n __rcron_has_no_command -l webhook-when -x -a 'change failure always' -d 'what the webhook is told of'
complete -c rcron -n __rcron_has_no_command -l slack -x -d 'tell failure and recovery to a chat'
complete -c rcron -n __rcron_has_no_command -l name -x -d 'the name of the job'
complete -c rcron -n __rcron_has_no_command -l nice -x -d 'the priority, -20 to 19'
complete -c rcron -n __rcron_has_no_command -l user -x -a '(__fish_complete_users)' -d 'run as this user'
complete -c rcron -n __rcron_has_no_command -l cwd -x -a '(__rcron_paths "" folders)' -d 'the folder to run in'
complete -c rcron -n __rcron_has_no_command -l umask -x -a '022 027 077' -d 'the umask'
complete -c rcron -n __rcron_has_no_command -l env-file -x -a '(__rcron_paths "")' -d 'NAME=value lines for the environment'
complete -c rcron -n __rcron_may_have_face -l as -x -a 'rcron rcrond rcronctl' -d 'be this face, where links cannot be made'
complete -c rcron -n __rcron_has_no_command -l help -s h -d 'show the help'
complete -c rcron -n __rcron_has_no_command -l version -d 'show the version'
