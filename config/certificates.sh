#!/bin/sh
# An authority of one's own for the broker and its stations, by openssl. Everything is made in FOLDER, once; nothing
# that is there is made anew.
#
#   sh certificates.sh FOLDER broker HOST      the broker's, for the host name or address that stations connect to
#   sh certificates.sh FOLDER client NAME      a station's, or the gateway's, for the name of its account
#
# ca.key signs whoever is let in: keep it off the broker and off the stations. ca.pem goes to all of them.
set -eu
umask 077

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# = 3 ] || usage
case $3 in *[!A-Za-z0-9._-]* | broker | ca) usage ;; esac
folder=$1 what=$2 name=$3
years=$((10 * 365))
mkdir -p "$folder"
cd "$folder"

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

if [ ! -e ca.pem ]; then
    key ca.key
    openssl req -x509 -new -key ca.key -subj "/CN=magwatch authority" -days $years -out ca.pem \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
fi

case $what in
    broker)
        file=broker use=serverAuth
        case $name in *[!0-9.]*) other=DNS:$name ;; *) other=IP:$name ;; esac ;;
    client) file=$name use=clientAuth other=DNS:$name ;;
    *) usage ;;
esac
[ ! -e "$file.pem" ] || { echo "$folder/$file.pem is there already" >&2; exit 1; }
key "$file.key"
printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=$use \
    "subjectAltName=$other" authorityKeyIdentifier=keyid >"$file.ext"
openssl req -new -key "$file.key" -subj "/CN=$name" | openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial \
    -days $years -extfile "$file.ext" -out "$file.pem" 2>/dev/null
rm "$file.ext"
chmod 644 ca.pem "$file.pem"
