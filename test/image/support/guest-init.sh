#!/bin/sh
# The guest's first program (guest.ts): what balenaOS and its engine do for the container, and a shell for the test.
#
#   /dev/vda   the image's root file system, read-only          /dev/vdb   the data volume
#   ttyAMA0    what the daemon says                             hvc0       lines to run, answered by "~~done CODE"
set -u
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do modprobe "$module" || echo "guest: no module $module"; done < /modules
mkdir -p /dev/pts
until [ -b /dev/vdb ] && [ -c /dev/hvc0 ]; do usleep 20000; done
mount -t ext4 -o ro /dev/vda /root
mount -t ext4 /dev/vdb /root/data || echo "guest: the data volume cannot be mounted"
# As an engine lays them into a privileged container.
mount -t tmpfs -o mode=1777 tmp /root/tmp
mount -t tmpfs -o mode=755 run /root/run
mount -t sysfs sys /root/sys
mount -t tmpfs -o mode=755 dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 shm /root/dev/shm
mknod -m 666 /root/dev/null c 1 3
ip link set lo up
ip addr add 10.77.0.1/24 dev eth0
ip link set eth0 up
echo "guest: booted, $(date -u +%Y-%m-%d), Linux $(uname -r) on $(uname -m)"
(
  unshare -m -p -f chroot /root /usr/bin/busybox sh -c 'mount -t proc proc /proc; exec /usr/local/bin/entry' < /dev/null > /dev/console 2>&1
  echo "guest: the daemon ended with $?" > /dev/console
) &
stty -F /dev/hvc0 raw -echo
exec < /dev/hvc0 > /dev/hvc0 2>&1
while read -r line; do
  eval "$line"
  echo "~~done $?"
done
