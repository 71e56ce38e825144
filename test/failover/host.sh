#!/bin/bash
# One host of the failover bed: pid 1 of its own namespaces, it does what is written into its FIFO, line by line.
#
# Called:   by bed.sh, as  host.sh NAME FOLDER;  FOLDER has NAME.conf (rcron's), NAME.keepalived, NAME.do (the FIFO)
# Lines:    tick N          runs rcron once, as cron would, with the job "FOLDER/job N"
#           start           starts keepalived
#           stop            ends it cleanly (TERM)
#           kill            SIGKILL to both of its processes at once
#           kill-all        the same to the reader of its FIFO as well, and to its scripts
#           freeze, thaw    SIGSTOP and SIGCONT to both
#           reload          HUP
#           mute ADDRESS…   what this host sends to these addresses goes astray; it hears them as ever
#           unmute          over
#           tell LABEL      what rcronctl says of the state goes to FOLDER/NAME.LABEL.json
# Ends:     with the bed, at whose end the kernel kills all of it.
#
# bash and not sh: like an init, it reaps every child at its end; dash would leave a killed keepalived a zombie.
set -eu
name=$1
bed=$2
hostname "$name"

echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 || :
mount -t tmpfs -o mode=755 tmpfs /run
ln -s "$bed/$name.log" /run/log.sock # /dev/log leads here
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/etc /mnt/work
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/work overlay /etc
mkdir -p /etc/rcron
install -m 644 "$bed/$name.conf" /etc/rcron/rcron.conf
install -m 644 "$bed/$name.keepalived" /etc/keepalived/keepalived.conf
export BED="$bed" BED_HOST="$name"

exec 2>>"$bed/$name.err"

signal() { # NAME; in one go: without its child the parent would start another, without its parent the child stops cleanly
	kill "-$1" "$(cat /run/vrrp.pid)" "$(cat /run/keepalived.pid)"
}

kill_all() {
	local comm program pids=
	for comm in /proc/[0-9]*/comm; do
		read -r program <"$comm" || continue
		case $program in keepalived | rcronctl | notify*) pids="${comm//[!0-9]/} $pids" ;; esac
	done 2>/dev/null
	# shellcheck disable=SC2086 # one word for each process; the children come first, as in signal
	kill -KILL $pids
}

mute() { # ADDRESS...
	for peer; do ip neigh replace "$peer" lladdr 02:00:00:00:00:ff dev eth0 nud permanent; done
}

unmute() {
	ip -o neigh show dev eth0 nud permanent | while read -r peer _; do ip neigh del "$peer" dev eth0; done
}

act() { # LINE...
	case $1 in
	tick) rcron "$bed/job" "$2" >/dev/null & ;;
	start) keepalived -n -P -D -p /run/keepalived.pid -r /run/vrrp.pid >/dev/null & ;;
	stop) kill -TERM "$(cat /run/keepalived.pid)" ;;
	kill) signal KILL ;;
	kill-all) kill_all ;;
	freeze) signal STOP ;;
	thaw) signal CONT ;;
	reload) kill -HUP "$(cat /run/keepalived.pid)" ;;
	mute | unmute) "$@" ;;
	tell) rcronctl state --json >"$bed/$name.$2.json" & ;;
	*) echo "host.sh: unknown line: $*" >&2 ;;
	esac
}

# Descriptor 3 is open for writing as well, so that there is never an end of file; nothing inherits it.
exec 3<>"$bed/$name.do"
while read -r -a line <&3; do
	act "${line[@]}" </dev/null 3>&- || echo "host.sh: failed ($?): ${line[*]}" >&2
done
