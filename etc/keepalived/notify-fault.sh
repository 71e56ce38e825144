#!/bin/sh
# keepalived lost its interface or a check: this machine's rcron word becomes passive.
#
# Goes to:  /etc/keepalived/rcron/notify-fault.sh   (root:root, mode 755), beside notify.sh, which does the work
# Called:   by keepalived, as notify_fault; an argument, if there is one, names the instance in the log
# By hand:  /etc/keepalived/rcron/notify-fault.sh    then    cat /var/run/rcron.state    says passive
exec "$(dirname -- "$0")/notify.sh" INSTANCE "${1:-unnamed}" FAULT
