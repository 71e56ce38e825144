#!/bin/sh
# Writes this machine's word to rcron's state file when ucarp becomes master or backup.
#
# Goes to:  /etc/ucarp/rcron/word.sh   (root:root, mode 755), with up.sh and down.sh, which call it
# Called:   by them, as  word.sh active|passive INTERFACE ADDRESS [EXTRA]
# By hand:  /etc/ucarp/rcron/down.sh eth0 192.0.2.100    makes this machine passive now
# Check:    rcronctl state       and its log:  journalctl -t rcronctl
#
# The whole line, with the master's --advskew 0 and 100 more on each other machine:
#     ucarp -i eth0 -s OWN_ADDRESS -v 7 -o /etc/ucarp/password -a 192.0.2.100 --advskew=0 --shutdown \
#         --upscript=/etc/ucarp/rcron/up.sh --downscript=/etc/ucarp/rcron/down.sh
# rcron itself needs no address. Where you have scripts that bring it up and down, let them call these two, the word
# last on the way up and first on the way down:
#     ip addr add "$2/24" dev "$1" && /etc/ucarp/rcron/up.sh "$@"
#     /etc/ucarp/rcron/down.sh "$@"; ip addr del "$2/24" dev "$1"
# Another configuration than /etc/rcron/rcron.conf: its path as ucarp's --xparam, which arrives here as EXTRA.
#
# In rcron.conf of every machine:  default_state = passive  and  require_writer = yes.  What stands behind the word is
# the ucarp process. ucarp (1.5.2) is careless, and what the first three of these do, only this witness mends:
# - killed or frozen, it calls nobody: this machine would stay active while another one takes over.
# - without --shutdown (-z) it does not call the down script when it ends, and the word stays as well.
# - with --neutral (-n) it does not call it at its start, and a word of its former life stays: leave --neutral out.
# - it does not look at the exit status of its scripts, and sends no sign of life while it waits for one of them.
# - machines whose patience ends within a second of each other, as when all start at once, are masters together for
#   about a second; therefore the 100 between two values of --advskew (it is 3/256 s of patience for each 1).
set -u
umask 022
# A service manager that stops ucarp may send TERM to its scripts as well: the word must be written nevertheless.
trap '' HUP INT TERM
PATH=${PATH:+$PATH:}/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

die() { # EXIT-STATUS MESSAGE: ucarp does not look at the status, so it goes to syslog as well
	printf 'word.sh: %s\n' "$2" >&2
	logger -t rcron-ucarp -p daemon.err -- "$2" 2>/dev/null || :
	exit "$1"
}

# Prints the pid of ucarp: the nearest process above this one that is called so. Fails where there is none.
find_ucarp() {
	pid=$PPID
	steps=0
	while [ "$pid" -ge 1 ] && [ "$steps" -lt 20 ]; do
		read -r name <"/proc/$pid/comm" && read -r stat <"/proc/$pid/stat" || return 1
		if [ "$name" = ucarp ]; then
			printf '%s\n' "$pid"
			return 0
		fi
		stat=${stat##*) }    # STATE PPID ...
		stat=${stat#* }
		pid=${stat%% *}
		steps=$((steps + 1))
	done 2>/dev/null
	return 1
}

case ${1:-} in
active) event=MASTER ;;
passive) event=BACKUP ;;
*) die 2 "wants active or passive first: got '${1:-}'" ;;
esac
if [ $# -lt 3 ] || [ $# -gt 4 ]; then
	die 2 "wants INTERFACE ADDRESS [EXTRA] after $1, as ucarp gives them: got '$*'; the old word stays"
fi
word=$1
instance=$2/$3
extra=${4:-}

set -- --instance "$instance" --event "$event" --writer ucarp
# Only a claim needs somebody behind it; and ucarp calls its down script when it ends just as when it steps back.
if [ "$word" = active ] && ucarp=$(find_ucarp); then
	set -- "$@" --writer-pid "$ucarp"
fi
case $extra in
/*) set -- "$@" --conf "$extra" ;;
esac
rcronctl state set "$word" "$@" || die 1 "$word not written for $instance (exit status $? of rcronctl); the old word stays"
