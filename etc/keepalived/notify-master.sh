#!/bin/sh
# This machine has been elected: its rcron word becomes active, and its cron jobs run.
#
# Goes to:  /etc/keepalived/rcron/notify-master.sh   (root:root, mode 755), beside notify.sh, which does the work
# Called:   by keepalived, as notify_master; an argument, if there is one, names the instance in the log
# By hand:  /etc/keepalived/rcron/notify-master.sh    then    cat /var/run/rcron.state    says active
exec "$(dirname -- "$0")/notify.sh" INSTANCE "${1:-unnamed}" MASTER
