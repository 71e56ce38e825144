#!/bin/sh
# Writes this machine's word, active or passive, to rcron's state file when keepalived changes state.
#
# Goes to:  /etc/keepalived/rcron/notify.sh   (root:root, mode 755; the notify-*.sh beside it call it)
# Called:   by keepalived, with  TYPE NAME STATE PRIORITY,  e.g.  INSTANCE RCRON MASTER 100
# By hand:  /etc/keepalived/rcron/notify.sh INSTANCE by-hand BACKUP    makes this machine passive now
# Check:    rcronctl state       and its log:  journalctl -t rcronctl -t rcron-notify
#
# MASTER*: active.  BACKUP*, FAULT, STOP, DELETED: passive.  Anything else: a message, and the old word stays.
# Exit: 0 written (or a newer change has been written already), 1 can't be written, 2 wrong arguments.
#
# "rcronctl state set" does the work: it writes in one step, keeps the order of scripts that overlap, and leaves
# behind who wrote, so that rcron can ask whether this keepalived is still alive (require_writer in rcron.conf).
#
# Another state file: RCRON_STATE_FILE, for one instance in keepalived.conf
#     notify "/usr/bin/env RCRON_STATE_FILE=/var/run/other.state /etc/keepalived/rcron/notify.sh"
# or for all of them in /etc/default/keepalived. One state file belongs to one instance, never to two.
# Another configuration, for its state_file: RCRON_CONF. Another place of the program: RCRONCTL.
set -u
# Half a change is worse than a late one. keepalived has TERM sent to its scripts when it dies itself, and
# systemd when it stops keepalived: the word must be written nevertheless. It takes a few milliseconds.
trap '' HUP INT TERM
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH

rcronctl=${RCRONCTL:-/usr/bin/rcronctl}
[ -n "${RCRONCTL:-}" ] || [ -x "$rcronctl" ] || rcronctl=/usr/local/bin/rcronctl

# keepalived gives its scripts /dev/null for stderr, so everything goes to syslog as well.
die() { # EXIT-STATUS MESSAGE
	printf 'notify.sh: %s\n' "$2" >&2
	logger -t rcron-notify -p daemon.err -- "$2" 2>/dev/null || :
	exit "$1"
}

if [ $# -lt 3 ] || [ $# -gt 4 ]; then
	die 2 "wants TYPE NAME STATE [PRIORITY], e.g. INSTANCE RCRON MASTER 100: got '$*'; the state file keeps its word"
fi
case $1 in
INSTANCE | GROUP) ;;
*) die 2 "unknown type '$1' (known: INSTANCE, GROUP); the state file keeps its word" ;;
esac
case $3 in
MASTER | MASTER_PRIORITY) word=active ;;
# This machine stays master after a split, and the other one was master meanwhile: a new term.
MASTER_RX_LOWER_PRI) word='active --new-epoch' ;;
BACKUP | BACKUP_PRIORITY | FAULT | STOP | DELETED) word=passive ;;
*) die 2 "unknown state '$3' of $1 $2 (known: MASTER, BACKUP, FAULT, STOP, DELETED); the state file keeps its word" ;;
esac
[ -x "$rcronctl" ] || die 1 "no program at $rcronctl (set RCRONCTL): $1 $2 $3 is not written"

# keepalived stands behind the word for as long as it lives. Called by hand, nobody does.
# It may call itself keepalived_vrrp (process_names in keepalived.conf).
read -r parent 2>/dev/null <"/proc/$PPID/comm" || parent=
case $parent in keepalived*) word="$word --writer-pid $PPID" ;; esac

# shellcheck disable=SC2086  # the word and its options
exec "$rcronctl" state set $word --instance "$2" --event "$3" \
	${RCRON_STATE_FILE:+--state-file "$RCRON_STATE_FILE"} ${RCRON_CONF:+--conf "$RCRON_CONF"}
