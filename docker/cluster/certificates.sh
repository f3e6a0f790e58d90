#!/bin/bash
# Makes the cluster's own certificate authority and the node's certificate, once. Runs in the image of Elasticsearch.
set -eu
cd /certificates
[ ! -f node.crt ] || exit 0
new=$(mktemp -d)
tool=/usr/share/elasticsearch/bin/elasticsearch-certutil
"$tool" ca --silent --pem --days 3650 --out "$new"/ca.zip
unzip -q -o "$new"/ca.zip -d "$new"
"$tool" cert --silent --pem --days 3650 --name node --dns elasticsearch,localhost --ip 127.0.0.1 \
  --ca-cert "$new"/ca/ca.crt --ca-key "$new"/ca/ca.key --out "$new"/node.zip
unzip -q -o "$new"/node.zip -d "$new"
# The authority's key stays behind: nothing signs with it again.
cp "$new"/ca/ca.crt ca.crt
cp "$new"/node/node.key node.key
chown -R 1000:0 /certificates
chmod 755 /certificates
chmod 644 ca.crt
chmod 640 node.key
# Last, since its presence says that all is done.
cp "$new"/node/node.crt node.crt
chmod 644 node.crt
