#!/bin/bash
# Makes the cluster's own certificate authority and the node's certificate, once. Runs in the image of Elasticsearch.
set -eu
cd /certificates
[ ! -f node.crt ] || exit 0
tool=/usr/share/elasticsearch/bin/elasticsearch-certutil
"$tool" ca --silent --pem --days 3650 --out /tmp/ca.zip
unzip -q -o /tmp/ca.zip -d /tmp
"$tool" cert --silent --pem --days 3650 --name node --dns elasticsearch,localhost --ip 127.0.0.1 \
  --ca-cert /tmp/ca/ca.crt --ca-key /tmp/ca/ca.key --out /tmp/node.zip
unzip -q -o /tmp/node.zip -d /tmp
# The authority's key stays behind: nothing signs with it again.
cp /tmp/ca/ca.crt ca.crt
cp /tmp/node/node.key node.key
chown -R 1000:0 /certificates
chmod 755 /certificates
chmod 644 ca.crt
chmod 640 node.key
# Last, since its presence says that all is done.
cp /tmp/node/node.crt node.crt
chmod 644 node.crt
