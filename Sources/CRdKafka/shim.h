#ifndef CRDKAFKA_SHIM_H
#define CRDKAFKA_SHIM_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/* Calls that take a variable number of arguments, which Swift cannot make. */

/* Queues one record, copying what it is made of. `headers` may be NULL; they are the library's once
 * this has succeeded. A record without a key is not one whose key is empty. */
static inline rd_kafka_resp_err_t crk_produce(
    rd_kafka_t *client, rd_kafka_topic_t *topic, int32_t partition, int has_key, const void *key,
    size_t key_bytes, const void *value, size_t value_bytes, int64_t milliseconds,
    rd_kafka_headers_t *headers) {
    const void *some_key = has_key ? (key ? key : "") : 0;
    const void *some_value = value ? value : "";
    if (!headers)
        return rd_kafka_producev(
            client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(some_key, key_bytes),
            RD_KAFKA_V_VALUE((void *)some_value, value_bytes),
            RD_KAFKA_V_TIMESTAMP(milliseconds), RD_KAFKA_V_END);
    return rd_kafka_producev(
        client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(some_key, key_bytes),
        RD_KAFKA_V_VALUE((void *)some_value, value_bytes), RD_KAFKA_V_TIMESTAMP(milliseconds),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
}

#endif
