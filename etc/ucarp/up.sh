#!/bin/sh
# This machine has become ucarp's master: its rcron word becomes active, and its cron jobs run.
#
# Goes to:  /etc/ucarp/rcron/up.sh   (root:root, mode 755), beside word.sh, which does the work and tells how to set up
# Called:   by ucarp, as its --upscript, or by yours, with  INTERFACE ADDRESS [EXTRA]
# By hand:  /etc/ucarp/rcron/up.sh eth0 192.0.2.100    then    rcronctl state    says active
exec "$(dirname -- "$0")/word.sh" active "$@"
