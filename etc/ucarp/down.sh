#!/bin/sh
# This machine is not, or is no longer, ucarp's master: its rcron word becomes passive.
#
# Goes to:  /etc/ucarp/rcron/down.sh   (root:root, mode 755), beside word.sh, which does the work and tells how to set up
# Called:   by ucarp, as its --downscript, or by yours, with  INTERFACE ADDRESS [EXTRA]
# By hand:  /etc/ucarp/rcron/down.sh eth0 192.0.2.100    then    rcronctl state    says passive
exec "$(dirname -- "$0")/word.sh" passive "$@"
