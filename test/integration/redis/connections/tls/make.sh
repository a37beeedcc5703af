#!/bin/sh
# Makes the throw-away keys of tls.test.ts: a private certificate authority, a certificate of it for localhost, and one for
# another name. They protect nothing, are valid for a hundred years, and are made anew by running this file (needs openssl).
set -eu
cd "$(dirname "$0")"
days=36500
new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

ca=$(mktemp)
new_key "$ca"
openssl req -x509 -new -key "$ca" -days $days -subj "/CN=Throw-away CA of the Holdfast tests" \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" -out ca.pem

new_key key.pem
for name in localhost elsewhere; do
  names=$([ $name = localhost ] && echo "DNS:localhost,IP:127.0.0.1" || echo "DNS:elsewhere.example")
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$names" >extensions
  openssl req -new -key key.pem -subj "/CN=$name" |
    openssl x509 -req -CA ca.pem -CAkey "$ca" -days $days -extfile extensions -out $name.pem
done
rm -f extensions "$ca" # nobody needs to sign anything more
