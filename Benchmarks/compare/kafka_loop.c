/* A bare loop that consumes a partition with librdkafka and does nothing with it.
 *
 *     kafka_loop BROKER TOPIC FIRST
 *
 * Prints how many messages came, how many of them behind the batch in which number FIRST was, in how many
 * seconds, and how many of these its threads were at work. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 1000

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
}

int main(int count, char **arguments) {
    if (count != 4) return 64;
    char text[512];
    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    const char *properties[][2] = {{"bootstrap.servers", arguments[1]},
                                   {"group.id", "loop"},
                                   {"enable.auto.commit", "false"},
                                   {"enable.partition.eof", "true"},
                                   {"isolation.level", "read_committed"}};
    for (int i = 0; i < 5; i++) {
        const char *name = properties[i][0], *value = properties[i][1];
        if (rd_kafka_conf_set(settings, name, value, text, sizeof text)) return 64;
    }
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, settings, text, sizeof text);
    if (!client) return 69;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, arguments[2], 0)->offset = 0;
    rd_kafka_assign(client, list);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(client, arguments[2], 0);
    rd_kafka_queue_forward(queue, NULL);
    static rd_kafka_message_t *messages[BATCH];
    long came = 0, first = 0, skipped = atol(arguments[3]);
    int ended = 0;
    double begin = 0, end = 0, workedBefore = 0, worked = 0;
    unsigned long long sum = 0;
    while (!ended) {
        ssize_t found = rd_kafka_consume_batch_queue(queue, 100, messages, BATCH);
        long before = came;
        for (ssize_t i = 0; i < found; i++) {
            if (messages[i]->err) {
                ended |= messages[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            } else {
                came++;
                /* As one would who reads them. */
                if (messages[i]->len) sum += *(unsigned char *)messages[i]->payload;
            }
            rd_kafka_message_destroy(messages[i]);
        }
        /* The end of the partition is told later than the last message. */
        if (came > before) {
            end = now(CLOCK_MONOTONIC);
            worked = now(CLOCK_PROCESS_CPUTIME_ID);
        }
        if (!begin && came > skipped) {
            begin = end;
            workedBefore = worked;
            first = came;
        }
    }
    printf("%ld %ld %.6f %.6f %llu\n", came, came - first, end - begin, worked - workedBefore, sum % 10);
    return 0;
}
