#!/bin/sh
# keepalived stops: this machine's rcron word becomes passive, for another one takes over.
#
# Goes to:  /etc/keepalived/rcron/notify-stop.sh   (root:root, mode 755), beside notify.sh, which does the work
# Called:   by keepalived, as notify_stop; an argument, if there is one, names the instance in the log
# By hand:  /etc/keepalived/rcron/notify-stop.sh    then    cat /var/run/rcron.state    says passive
exec "$(dirname -- "$0")/notify.sh" INSTANCE "${1:-unnamed}" STOP
