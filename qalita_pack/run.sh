#!/bin/sh
# Atlas publishes the metrics of this pack itself: a worker that runs it has nothing to do.
for name in metrics recommendations schemas; do
    echo '[]' > "$name.json"
done
