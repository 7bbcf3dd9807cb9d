#!/bin/sh
# Starts SeaweedFS with an S3 gateway with one user, and creates the bucket.
set -eu
umask 077
cat > /tmp/s3.json <<JSON
{"identities": [{"name": "flops", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "${FLOPS_ARTIFACT_STORE_USER:?}", "secretKey": "${FLOPS_ARTIFACT_STORE_PASSWORD:?}"}]}]}
JSON
unset FLOPS_ARTIFACT_STORE_PASSWORD
# Only the S3 gateway is for others; master, volume and filer have no passwords and stay inside.
weed server -dir=/data -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.volumeSizeLimitMB=1024 \
    -volume.max=0 -filer -s3 -s3.port=8333 -s3.ip.bind=0.0.0.0 -s3.config=/tmp/s3.json &
server=$!
trap 'kill -TERM "$server"' TERM INT
rm -f /tmp/ready
has_bucket() {
    wget -q -O /dev/null -T 2 http://127.0.0.1:9333/cluster/status || return 1
    echo "s3.bucket.create -name ${FLOPS_ARTIFACT_STORE_BUCKET:?}" \
        | weed shell -master=127.0.0.1:9333 > /tmp/bucket.log 2>&1 || grep -q 'already exists' /tmp/bucket.log
}
(
    until has_bucket; do sleep 1; done
    touch /tmp/ready
) &
wait "$server"
