# rcron.fish: what fish offers behind rcron and a TAB: its options, and behind them what it offers for the command.
#
# Goes to:  /usr/share/fish/vendor_completions.d/rcron.fish   (or ~/.config/fish/completions/)
# Check:    complete -C 'rcron --conf /dev/null ec'

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
            case --conf --on-passive --as
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
            case --conf --on-passive --as
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

complete -c rcron -x -a '(__rcron_complete_command)'
complete -c rcron -n __rcron_has_no_command -l conf -r -F -d 'the configuration'
complete -c rcron -n __rcron_has_no_command -l explain -d 'run nothing; say what would happen here, and why'
complete -c rcron -n __rcron_has_no_command -l shell -d 'join the words with blanks for /bin/sh -c'
complete -c rcron -n __rcron_has_no_command -l on-passive -x -a 'finish stop' -d 'a job whose machine turns passive'
complete -c rcron -n __rcron_has_no_command -l generate -d 'write default_state to the state file, and log it'
complete -c rcron -n __rcron_may_have_face -l as -x -a 'rcron rcrond rcronctl' -d 'be this face, where links cannot be made'
complete -c rcron -n __rcron_has_no_command -l help -s h -d 'show the help'
complete -c rcron -n __rcron_has_no_command -l version -d 'show the version'
