#!/bin/sh
# Writes this machine's word, active or passive, to rcron's state file when keepalived changes state.
#
# Goes to:  /etc/keepalived/rcron/notify.sh   (root:root, mode 755; the notify-*.sh beside it call it)
# Called:   by keepalived, with  TYPE NAME STATE PRIORITY,  e.g.  INSTANCE RCRON MASTER 100
# By hand:  /etc/keepalived/rcron/notify.sh INSTANCE by-hand BACKUP    makes this machine passive now
# Check:    cat /var/run/rcron.state       and its log:  journalctl -t rcron-notify
#
# MASTER*: active.  BACKUP*, FAULT, STOP, DELETED: passive.  Anything else: a message, and the old word stays.
# Exit: 0 written (or a newer change has been written already), 1 can't be written, 2 wrong arguments.
#
# It keeps a small file beside the state file, .rcron.state.order: its lock, and who wrote last. Harmless to delete.
#
# Another state file: RCRON_STATE_FILE, for one instance in keepalived.conf
#     notify "/usr/bin/env RCRON_STATE_FILE=/var/run/other.state /etc/keepalived/rcron/notify.sh"
# or for all of them in /etc/default/keepalived. One state file belongs to one instance, never to two.
set -u
umask 022
# Half a change is worse than a late one. keepalived has TERM sent to its scripts when it dies itself, and
# systemd when it stops keepalived: the word must be written nevertheless. It takes a few milliseconds.
trap '' HUP INT TERM
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH

state_file=${RCRON_STATE_FILE:-/var/run/rcron.state}

# keepalived gives its scripts /dev/null for stderr, so everything goes to syslog as well.
log() { # PRIORITY MESSAGE
	logger -t rcron-notify -p "daemon.$1" -- "$2" 2>/dev/null || :
}

die() { # EXIT-STATUS MESSAGE
	exec 9>&-
	printf 'notify.sh: %s\n' "$2" >&2
	log err "$2"
	exit "$1"
}

# keepalived starts its scripts in order but doesn't wait for one before it starts the next: MASTER and, a
# millisecond later, BACKUP run at the same time, and MASTER may come second. So each copy leaves behind when
# it was started, and one that finds a later start than its own has been overtaken and writes nothing.
when_started() { # prints "BOOT-ID TICKS": start times only compare within one boot of the kernel
	read -r boot </proc/sys/kernel/random/boot_id && read -r stat <"/proc/$$/stat" || return 1
	printf '%s %s\n' "$boot" "$(printf '%s\n' "${stat##*) }" | cut -d ' ' -f 20)"
}

overtaken() { # by what the order file says; pids tell apart two starts in one tick of 10 ms
	[ -n "$started" ] && [ -f "$state_file" ] && read -r boot ticks pid <"$order_file" || return 1
	[ "$boot" = "${started% *}" ] || return 1
	[ "$ticks" -gt "${started#* }" ] || { [ "$ticks" -eq "${started#* }" ] && [ "$pid" -gt "$$" ]; }
}

# A reader sees the old word or the new one, never less: written beside the file, then moved over it.
write_word() {
	temp=$(mktemp -- "$folder/.${state_file##*/}.XXXXXXXXXX" 2>&1) ||
		die 1 "$word not written to $state_file, which stays as it was: $temp"
	error=$({ printf '%s\n' "$word" >"$temp" && chmod 644 -- "$temp" && mv -f -- "$temp" "$state_file"; } 2>&1) || {
		rm -f -- "$temp"
		die 1 "$word not written to $state_file, which stays as it was: $error (check: df $folder)"
	}
}

if [ $# -lt 3 ] || [ $# -gt 4 ]; then
	die 2 "wants TYPE NAME STATE [PRIORITY], e.g. INSTANCE RCRON MASTER 100: got '$*'; $state_file keeps its word"
fi
case $1 in
INSTANCE | GROUP) ;;
*) die 2 "unknown type '$1' (known: INSTANCE, GROUP); $state_file keeps its word" ;;
esac
case $3 in
MASTER | MASTER_RX_LOWER_PRI | MASTER_PRIORITY) word=active ;;
BACKUP | BACKUP_PRIORITY | FAULT | STOP | DELETED) word=passive ;;
*) die 2 "unknown state '$3' of $1 $2 (known: MASTER, BACKUP, FAULT, STOP, DELETED); $state_file keeps its word" ;;
esac
case $state_file in
/*) ;;
*) die 2 "RCRON_STATE_FILE must be an absolute path: got '$state_file'" ;;
esac

folder=$(dirname -- "$state_file")
order_file=$folder/.${state_file##*/}.order
error=$(mkdir -p -- "$folder" 2>&1) || die 1 "$word not written to $state_file: $error"
[ ! -d "$state_file" ] || die 1 "$word not written: $state_file is a folder"
started=$(when_started 2>/dev/null) || started=

# One copy at a time. keepalived kills a script that takes longer than a second to stop, so whoever holds the
# lock half a second has hung, and waiting longer would cost this machine its word.
if (: >>"$order_file") 2>/dev/null; then
	exec 9>>"$order_file"
	flock -w 0.5 9 2>/dev/null || log warning "no lock on $order_file within half a second: going on without"
fi
if overtaken 2>/dev/null; then
	exec 9>&-
	log notice "$1 $2 $3 came late: a newer change is in $state_file already"
	exit 0
fi
write_word
if [ -n "$started" ]; then
	printf '%s %s\n' "$started" "$$" 2>/dev/null >"$order_file" || :
fi
exec 9>&-
log notice "$word: $1 $2 $3, written to $state_file"
