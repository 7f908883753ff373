#!/bin/sh
# Makes the root file system of the image: the one recipe for the container build and for our tests.
#
#   rootfs.sh ARCH OUT NODE APP OVERLAY        ARCH: amd64 | arm64
#
# ARCH's Debian packages (packages.list, unpacked, nothing run, so any machine can make any architecture's), without documentation,
# locales and what only a package manager needs; Node; the bundle under /opt/petiole; the files of rootfs/ over it. All times are
# SOURCE_DATE_EPOCH's and all owners root, and nothing of the building machine goes in, so that the same inputs give the same file system.
#
# Which packages have a file left in it, with versions, stands in usr/share/petiole/packages.tsv; their licences in usr/share/doc.
#
# Needs: mmdebstrap, root. STRIP: binutils' strip for that architecture. MIRROR and SUITE may name another archive; KEYRING the keys it is signed with.
set -eu

arch=$1 out=$(readlink -m "$2") node=$(readlink -f "$3") app=$(readlink -f "$4") overlay=$(readlink -f "$5")
here=$(dirname "$(readlink -f "$0")")
mirror=${MIRROR:-http://deb.debian.org/debian}
suite=${SUITE:-trixie}
epoch=${SOURCE_DATE_EPOCH:-0}
packages=$(sed '/^#/d;/^$/d' "$here/packages.list" | paste -sd, -)

rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/debs"
# Beside each package what it is and what it brings, for the list at the end: nothing else remembers it, since nothing is installed.
record='for deb in "$1"/var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb -f "$deb" Package)
  dpkg-deb -W --showformat "\${Package}\t\${Version}\t\${Architecture}\t\${source:Package}\t\${source:Version}\n" "$deb" > DEBS/$name.tsv
  dpkg-deb --fsys-tarfile "$deb" | tar -t > DEBS/$name.files
done'
mmdebstrap --quiet --variant=extract --mode=root --architectures="$arch" --include="$packages" \
  --extract-hook="$(echo "$record" | sed "s|DEBS|$work/debs|g")" --aptopt='Acquire::Languages "none"' ${KEYRING:+--keyring="$KEYRING"} "$suite" "$work/root" "deb $mirror $suite main" >&2

cd "$work/root"
# Debian's merged layout: the packages carry usr/lib and the loader is looked for in lib.
for name in bin sbin lib lib64; do
  if [ -d "$name" ] && [ ! -L "$name" ]; then
    mkdir -p "usr/$name"
    cp -a "$name/." "usr/$name/"
    rm -rf "$name"
  fi
  if [ -e "usr/$name" ]; then ln -s "usr/$name" "$name"; fi
done

mv usr/share/doc "$work/doc"

# Only what runs. util-linux is here for setpriv and flock, openssl's program and perl came with ca-certificates, awk with base-files.
rm -rf usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bash-completion usr/share/perl* \
  usr/lib/*/perl* usr/lib/*/gconv usr/lib/locale usr/lib/systemd lib/systemd usr/lib/udev usr/share/common-licenses/GFDL* \
  usr/share/base-files usr/share/dict usr/share/awk \
  usr/bin/perl* usr/bin/openssl usr/bin/c_rehash usr/lib/ssl/misc etc/ssl/openssl.cnf.dist var/lib/dpkg var/lib/apt var/cache var/log \
  usr/share/pixmaps usr/share/menu usr/share/gdb usr/share/debconf usr/share/gcc usr/share/initramfs-tools usr/share/pam* \
  usr/share/util-linux usr/lib/mime usr/lib/tmpfiles.d etc/apt etc/dpkg etc/pam* etc/security etc/debconf.conf etc/ca-certificates* \
  usr/lib/ssl etc/ssl etc/fstab etc/libaudit.conf etc/nftables.conf etc/ld.so.conf.d boot home media mnt srv opt tmp root var/lib/pam
# Of the building machine, or of the suite's first day: neither belongs in an image.
rm -rf dev etc/hostname etc/resolv.conf etc/hosts etc/motd etc/issue* etc/debian_version etc/default etc/profile* etc/skel etc/dpkg etc/update-motd.d \
  etc/logrotate.d etc/cron* etc/host.conf var/mail var/local var/spool var/backups var/opt var/lock var/run usr/games usr/include usr/src usr/share/misc
for folder in usr/bin usr/sbin; do
  for file in "$folder"/*; do
    name=$(basename "$file")
    case $name in
      busybox | tini | nft | setpriv | flock) ;;
      *) rm -f "$file" ;;
    esac
  done
done
for name in sh cat cp sed ls ps env mkdir mount umount rmdir ln mv rm sync wget hostname ip ping vi grep tail dmesg; do ln -sf busybox "usr/bin/$name"; done

# Of the libraries only those that something here names: a fixpoint over the names that stand in the files themselves.
libs=$(echo usr/lib/*-linux-gnu)
names_in() { grep -aohE 'lib[A-Za-z0-9_+.-]*\.so(\.[0-9]+)*|ld-linux[A-Za-z0-9_-]*\.so\.[0-9]+' "$@" | sort -u; }
keep="$work/keep"
{ names_in usr/bin/nft usr/sbin/nft usr/bin/setpriv usr/bin/flock usr/bin/tini "$node" "$app"/native/*.node 2> /dev/null || true; ls "$libs" | grep -E '^(ld-linux|libresolv)'; } | sort -u > "$keep"
while :; do
  before=$(wc -l < "$keep")
  while read -r name; do
    if [ -e "$libs/$name" ]; then names_in "$libs/$name"; fi
  done < "$keep" | sort -u - "$keep" > "$keep.new"
  mv "$keep.new" "$keep"
  [ "$(wc -l < "$keep")" != "$before" ] || break
done
for file in "$libs"/*; do
  if [ -L "$file" ]; then grep -qxF "$(basename "$file")" "$keep" || rm -f "$file"; fi
done
for file in "$libs"/*; do
  [ -L "$file" ] && continue
  if [ -d "$file" ]; then rm -rf "$file"; continue; fi
  base=$(basename "$file")
  grep -qxF "$base" "$keep" && continue
  find "$libs" -maxdepth 1 -type l -lname "$base" | grep -q . || rm -f "$file"
done

# The bundle of certificate authorities, which a package's script would have made. Mozilla's list, in the order of the names.
mkdir -p etc/ssl/certs
find usr/share/ca-certificates/mozilla -name '*.crt' | LC_ALL=C sort | while read -r file; do cat "$file"; echo; done > etc/ssl/certs/ca-certificates.crt
rm -rf usr/share/ca-certificates

# No setuid anywhere: nothing here changes its rights but the entry script, and that only downwards.
find . -xdev -type f -perm /6000 -exec chmod ug-s {} +

install -D -m 755 "$node" usr/bin/node
if [ -n "${STRIP:-}" ]; then "$STRIP" --strip-unneeded usr/bin/node; fi # a quarter of its bytes are names for debuggers
mkdir -p opt/petiole
cp -R "$app/." opt/petiole/
rm -f opt/petiole/*.map
case $arch in amd64) other=arm64 ;; arm64) other=x64 ;; esac
rm -f "opt/petiole/native/serialport-$other.node"
cp -R "$overlay/." .
# Places that are mounted when it runs; the root itself is read-only then.
mkdir -p data dev proc sys run tmp var/tmp
ln -sf /proc/mounts etc/mtab
ln -sf ../run var/run
# Where an engine mounts its own: they must be there before the root becomes read-only.
for name in hostname hosts resolv.conf; do : > "etc/$name"; done

# What is in here: packages with a file left, and the licence of each. Licences name their common texts by /usr/share/common-licenses.
: > "$work/packages"
for list in "$work"/debs/*.files; do
  name=$(basename "$list" .files)
  while read -r file; do
    case $file in
      ./usr/share/ca-certificates/mozilla/*) ;; # they became one file
      */ | ./usr/share/doc/* | ./usr/share/common-licenses/*) continue ;;
      *) [ -f "$file" ] || [ -f "./usr/${file#./}" ] || continue ;;
    esac
    cat "$work/debs/$name.tsv" >> "$work/packages"
    break
  done < "$list"
done
mkdir -p usr/share/petiole usr/share/doc
LC_ALL=C sort "$work/packages" > usr/share/petiole/packages.tsv
cut -f 1 usr/share/petiole/packages.tsv | while read -r name; do
  mkdir -p "usr/share/doc/$name"
  cp "$(cd "$work" && realpath "doc/$name")/copyright" "usr/share/doc/$name/copyright"
done
for text in usr/share/common-licenses/*; do
  name=$(basename "$text")
  [ -L "$text" ] || grep -rqE "common-licenses/$name([^0-9A-Za-z.-]|[.]?\$)" usr/share/doc || rm "$text"
done
find usr/share/common-licenses -xtype l -delete

find . -xdev -type d -empty ! -path ./data ! -path ./dev ! -path ./proc ! -path ./sys ! -path ./run ! -path ./tmp ! -path ./var/tmp -delete
chown -R 0:0 .
chmod -R u=rwX,go=rX .
chmod 1777 tmp var/tmp
find . -xdev -exec touch -h -d "@$epoch" {} +
cp -a . "$out/"
