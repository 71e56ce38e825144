#!/bin/bash
# The failover bed: hosts as namespaces, each on a port of one bridge, inside the private host of the tests.
#
# Called:   there, as  bed.sh FOLDER PROGRAM NAME…;  FOLDER has what host.sh wants for each NAME, the executable `job`
#           and net.do, a FIFO. It makes FOLDER/ready when all is up. PROGRAM becomes /usr/bin/rcron.
# Lines:    of net.do, about the port of a host:
#           carrier NAME down|up   its carrier is lost, and back
#           plug NAME br0|none     its cable leads to the others, or nowhere; the carrier stays
#           deaf NAME              nothing is delivered to it, what it sends is
#           hearing NAME           over
#           still                  whoever made the bed is still there
#           end                    over
# Ends:     at `end`, or where nothing was heard for 20 s; as it is pid 1's last word, nothing is left of it then.
set -eu
bed=$1
program=$2
shift 2
here=${0%/*}

rm -f /usr/bin/rcron
: >/usr/bin/rcron
mount --bind "$program" /usr/bin/rcron
ln -s rcron /usr/bin/rcronctl
ln -s /run/log.sock /dev/log
logs=("$@")
logs=("${logs[@]/#/$bed/}")
/usr/bin/python3 "$here/log-clerk.py" "$bed/record" "${logs[@]/%/.log}" &

# Without snooping the bridge floods VRRP's multicast; without STP a port forwards at once.
ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
ip link set br0 up

number=0
for name; do
	number=$((number + 1))
	ip netns add "$name"
	ip link add "port-$name" type veth peer name eth0 netns "$name"
	ip link set "port-$name" master br0 up
	ip -n "$name" link set lo up
	ip -n "$name" addr add "192.0.2.$number/24" dev eth0
	ip -n "$name" link set eth0 up
	nsenter "--net=/run/netns/$name" unshare -m -p -u -i -f --kill-child=KILL --mount-proc "$here/host.sh" "$name" "$bed" &
done

carrier() { ip link set "port-$1" "$2"; }
plug() { if [ "$2" = none ]; then ip link set "port-$1" nomaster; else ip link set "port-$1" master "$2"; fi; }
deaf() {
	bridge link set dev "port-$1" flood off mcast_flood off bcast_flood off learning off
	bridge fdb show dev "port-$1" | while read -r address rest; do
		case $rest in *permanent*) ;; *) bridge fdb del "$address" dev "port-$1" master ;; esac
	done
}
hearing() { bridge link set dev "port-$1" flood on mcast_flood on bcast_flood on learning on; }

exec 3<>"$bed/net.do"
: >"$bed/ready"
while read -r -t 20 action name word <&3; do
	case $action in
	carrier | plug | deaf | hearing) "$action" "$name" "$word" ;;
	still) ;;
	end) exit 0 ;;
	*) echo "bed.sh: unknown line: $action $name $word" >&2 ;;
	esac
done
