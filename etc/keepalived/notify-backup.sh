#!/bin/sh
# Another machine is elected: this one's rcron word becomes passive, and its cron jobs stand by.
#
# Goes to:  /etc/keepalived/rcron/notify-backup.sh   (root:root, mode 755), beside notify.sh, which does the work
# Called:   by keepalived, as notify_backup; an argument, if there is one, names the instance in the log
# By hand:  /etc/keepalived/rcron/notify-backup.sh    then    cat /var/run/rcron.state    says passive
exec "$(dirname -- "$0")/notify.sh" INSTANCE "${1:-unnamed}" BACKUP
