/* A bare MQTT 3.1.1 echo in C: PORT PASSWORD. It answers bench/cecho/scan/N with bench/cecho/unlock/N, QoS 1. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned char in[1 << 20], out[1 << 20];
static size_t filled, waiting;

static void text(const char *words, size_t length) {
    out[waiting++] = (unsigned char)(length >> 8);
    out[waiting++] = (unsigned char)length;
    memcpy(out + waiting, words, length);
    waiting += length;
}

static void head(unsigned char kind, size_t length) {
    out[waiting++] = kind;
    do {
        out[waiting++] = (unsigned char)((length & 127) | (length > 127 ? 128 : 0));
        length >>= 7;
    } while (length);
}

static void flush(int to) {
    for (size_t sent = 0; sent < waiting;) {
        ssize_t some = write(to, out + sent, waiting - sent);
        if (some <= 0) exit(1);
        sent += (size_t)some;
    }
    waiting = 0;
}

static void publish(const unsigned char *body, size_t length, unsigned char flags) {
    static unsigned short id;
    static const char scan[] = "/scan/", unlock[] = "/unlock/";
    char topic[256], answer[260];
    size_t named = (size_t)body[0] << 8 | body[1], rest = 2 + named;
    if (named >= sizeof topic) exit(1);
    memcpy(topic, body + 2, named);
    topic[named] = 0;
    if (flags & 6) {
        head(0x40, 2);
        out[waiting++] = body[rest];
        out[waiting++] = body[rest + 1];
        rest += 2;
    }
    char *at = strstr(topic, scan);
    if (!at) return;
    int made = snprintf(answer, sizeof answer, "%.*s%s%s", (int)(at - topic), topic, unlock, at + sizeof scan - 1);
    head(0x32, 2 + (size_t)made + 2 + length - rest);
    text(answer, (size_t)made);
    if (!++id) id = 1;
    out[waiting++] = (unsigned char)(id >> 8);
    out[waiting++] = (unsigned char)id;
    memcpy(out + waiting, body + rest, length - rest);
    waiting += length - rest;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int on = 1, broker = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(broker, (struct sockaddr *)&where, sizeof where)) return 1;
    setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    head(0x10, 10 + 7 + 7 + 2 + strlen(argv[2]));
    text("MQTT", 4);
    memcpy(out + waiting, "\x04\xc2\x00\x00", 4);
    waiting += 4;
    text("cecho", 5);
    text("cecho", 5);
    text(argv[2], strlen(argv[2]));
    static const char filter[] = "bench/cecho/scan/+";
    head(0x82, 2 + 2 + sizeof filter - 1 + 1);
    memcpy(out + waiting, "\x00\x01", 2);
    waiting += 2;
    text(filter, sizeof filter - 1);
    out[waiting++] = 1;
    flush(broker);
    for (;;) {
        ssize_t some = read(broker, in + filled, sizeof in - filled);
        if (some <= 0) return 1;
        filled += (size_t)some;
        size_t begin = 0;
        for (;;) {
            size_t length = 0, body = begin + 1, shift = 0;
            while (body < filled && in[body] & 128) length |= (size_t)(in[body++] & 127) << shift, shift += 7;
            if (body >= filled) break;
            length |= (size_t)in[body++] << shift;
            if (filled - body < length) break;
            if (in[begin] >> 4 == 3) publish(in + body, length, in[begin] & 15);
            begin = body + length;
        }
        memmove(in, in + begin, filled - begin);
        filled -= begin;
        if (waiting) flush(broker);
    }
}
