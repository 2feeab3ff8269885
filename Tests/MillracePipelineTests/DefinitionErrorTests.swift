import MillracePipeline
import Testing

/// Every message of the pipeline file, whole: these are read by people.
@Suite struct DefinitionErrorTests {
    @Test(arguments: [
        ("", "p.yaml: the pipeline file is empty\n  It needs the keys \"topics\" and \"stages\"."),
        ("- a", "p.yaml:1:1: the pipeline file: expected a mapping, found a list"),
        ("topics: {}", "p.yaml:1:1: the pipeline file lacks the key \"stages\""),
        (
            "topic: {}",
            "p.yaml:1:1: unknown key \"topic\" in the pipeline file\n  Did you mean \"topics\"?"
        ),
        (
            "a: {b: 1\n", "p.yaml:2:1: not valid YAML: did not find expected ',' or '}'"
        ),
        ("topics: {a: *b}", "p.yaml:1:13: not valid YAML: found undefined alias"),
        ("topics: {? [a] : 1}", "p.yaml:1:12: a key must be text, not a list or mapping"),
        (
            "topics: {a: {bytes: true}, a: {}}",
            "p.yaml:1:10: key \"a\" is given more than once in the mapping\n"
                + "  Keep one of them; this is the first."
        ),
        (
            "topics: {a/b: {bytes: true}}\nstages: {}",
            "p.yaml:1:10: \"a/b\" is not a valid topic name\n  Use 1 to 249 letters, digits, "
                + "dots, underscores and hyphens (a-z A-Z 0-9 . _ -)."
        ),
        (
            "topics: {a: {bytes: true, partition: 3}}\nstages: {}",
            "p.yaml:1:27: unknown key \"partition\" in topic \"a\"\n  Did you mean \"partitions\"?"
        ),
        (
            "topics: {a: {bytes: true, colour: 3}}\nstages: {}",
            "p.yaml:1:27: unknown key \"colour\" in topic \"a\"\n  Known keys: partitions, bytes, "
                + "features, predictions, dtype, label, codec, level, filter, scale, zeroPoint, flush, "
                + "retentionBytes, retentionHours, retentionHoldBytes, segmentBytes, segmentMinutes."
        ),
        (
            "topics: {a: {bytes: true, filter: split}}\nstages: {}",
            "p.yaml:1:27: the filter is for numbers, and topic \"a\" holds bytes"
        ),
        (
            "topics: {a: {features: 4, codec: none, filter: split}}\nstages: {}",
            "p.yaml:1:40: the filter helps compression, and topic \"a\" is not compressed"
        ),
        (
            "topics: {a: {features: 4, scale: 2}}\nstages: {}",
            "p.yaml:1:27: \"scale\" belongs to features of dtype uint8 or int8"
        ),
        (
            "topics: {a: {features: 4, dtype: uint8, scale: 0}}\nstages: {}",
            "p.yaml:1:48: scale: expected a number above 0, found \"0\""
        ),
        (
            "topics: {a: {bytes: true, flush: often}}\nstages: {}",
            "p.yaml:1:34: flush: expected a number, found \"often\""
        ),
        (
            "topics: {a: {bytes: true, flush: 0.5}}\nstages: {}",
            "p.yaml:1:34: flush: expected none, batch or 1 to 3600000 milliseconds, found \"0.5\""
        ),
        (
            "topics: {a: {bytes: true, segmentBytes: 1000}}\nstages: {}",
            "p.yaml:1:41: segmentBytes: expected a whole number from 65536 to 1099511627776, found "
                + "\"1000\""
        ),
        (
            "topics: {a: {bytes: true, retentionHours: 0}}\nstages: {}",
            "p.yaml:1:43: retentionHours: expected a whole number from 1 to 87600, found \"0\""
        ),
        (
            "topics: {a: {partitions: 1}}\nstages: {}",
            "p.yaml:1:13: topic \"a\" needs one of the keys \"bytes\", \"features\", "
                + "\"predictions\""
        ),
        (
            "topics: {a: {bytes: true, predictions: true}}\nstages: {}",
            "p.yaml:1:27: topic \"a\" takes only one of the keys \"bytes\", \"features\", "
                + "\"predictions\""
        ),
        (
            "topics: {a: {bytes: yes}}\nstages: {}",
            "p.yaml:1:21: bytes: expected true or false, found \"yes\""
        ),
        (
            "topics: {a: {bytes: true, partitions: 0}}\nstages: {}",
            "p.yaml:1:39: partitions: expected a whole number from 1 to 1024, found \"0\""
        ),
        (
            "topics: {a: {bytes: true, partitions: [2]}}\nstages: {}",
            "p.yaml:1:39: partitions: expected a whole number from 1 to 1024, found a list"
        ),
        (
            "topics: {a: {features: 4, dtype: floaty}}\nstages: {}",
            "p.yaml:1:34: dtype: expected float32, float16, bfloat16, uint8 or int8, found \"floaty\""
        ),
        (
            "topics: {a: {bytes: true, label: true}}\nstages: {}",
            "p.yaml:1:27: \"label\" belongs to a topic of features, and topic \"a\" holds bytes"
        ),
        (
            "topics: {a: {bytes: true, codec: none, level: 3}}\nstages: {}",
            "p.yaml:1:40: topic \"a\" is not compressed, so it has no level"
        ),
        (
            "topics: {a: {features: prepare}}\nstages: {}",
            "p.yaml:1:24: there is no stage \"prepare\"\n  The file declares no stages."
        ),
    ])
    func topics(text: String, message: String) {
        #expect(parsingError(text) == message)
    }

    @Test(arguments: [
        ("optimizer: {adam: {rate: [1]}}", "p.yaml:22:30: rate: expected a number, found a list"),
        (
            "optimizer: {adam: {rate: 0}}",
            "p.yaml:22:30: rate: expected a number above 0, found \"0\""
        ),
        (
            "optimizer: {adam: {rate: \"1\"}}",
            "p.yaml:22:30: rate: expected a number, found the text \"1\""
        ),
        (
            "optimizer: {adam: {beta1: 1}}",
            "p.yaml:22:31: beta1: expected a number of at least 0 and below 1, found \"1\""
        ),
        (
            "optimizer: {sgd: {momentum: 1}}",
            "p.yaml:22:23: unknown key \"momentum\" in sgd\n  Known keys: rate."
        ),
        (
            "optimizer: lion",
            "p.yaml:22:16: optimizer: expected sgd, momentum, adagrad, adam, adamw or ftrl, "
                + "found \"lion\""
        ),
        (
            "loss: x",
            "p.yaml:22:11: loss: expected squared, huber, logistic or crossEntropy, found \"x\""
        ),
        (
            "loss: logistic",
            "p.yaml:17:3: stage \"learn\": the loss logistic for the objective regression: not a "
                + "possible training option"
        ),
        (
            "schedule: cosine",
            "p.yaml:22:15: cosine needs its \"steps\", as in \"{cosine: {steps: 1000}}\""
        ),
        ("sync: both", "p.yaml:22:11: sync: expected reduce or average, found \"both\""),
        (
            "holdOut: {everyRows: 1}",
            "p.yaml:22:26: everyRows: expected a whole number from 2 to 1099511627776, found \"1\""
        ),
        (
            "clipGradient: {}",
            "p.yaml:22:19: clipGradient needs one of the keys \"norm\", \"value\""
        ),
        (
            "gate: {margin: -1}",
            "p.yaml:22:20: margin: expected a number of at least 0, found \"-1\""
        ),
        (
            "batches: 5",
            "p.yaml:22:5: unknown key \"batches\" in stage \"learn\"\n  Did you mean \"batch\"?"
        ),
        (
            "epochs: 1.5",
            "p.yaml:22:13: epochs: expected a whole number from 1 to 100000, found \"1.5\""
        ),
        ("l2: -1", "p.yaml:22:9: l2: expected a number of at least 0, found \"-1\""),
        ("publish: 5", "p.yaml:22:14: publish: expected a mapping, found \"5\""),
        (
            "publish: {everyRows: 10, keepVersions: 0}",
            "p.yaml:22:44: keepVersions: expected a whole number from 1 to 1000000, found \"0\""
        ),
        ("publish: {}", "p.yaml:22:14: publish lacks the key \"everyRows\""),
        (
            "cores: []",
            "p.yaml:22:12: cores: the list is empty\n  Leave the key out to use every core."
        ),
        ("cores: [1, 1]", "p.yaml:22:16: cores: 1 is listed twice"),
        ("cores: 2", "p.yaml:22:12: cores: expected a list of core numbers, found \"2\""),
        (
            "assignor: fair",
            "p.yaml:22:15: assignor: expected range, roundRobin, sticky or hash, found \"fair\""
        ),
        (
            "after: lern",
            "p.yaml:22:12: there is no stage \"lern\"\n  Did you mean \"learn\"?"
        ),
        (
            "after: predict\n    mlp: {hidden: [2]}",
            "p.yaml:23:5: stage \"learn\" takes only one of the keys \"regression\", \"logistic\", "
                + "\"softmax\", \"mlp\""
        ),
        (
            "group: prepare",
            "p.yaml:17:3: stages \"prepare\" and \"learn\" are both the group \"prepare\"\n"
                + "  Give one of them another \"group\"."
        ),
        (
            "after: learn",
            "p.yaml:22:12: stages wait for each other: learn -> learn\n"
                + "  A stage waits for the one in \"after\", the writer of its topic, and the "
                + "trainer of its model."
        ),
    ])
    func trainStages(line: String, message: String) {
        let text = smallPipeline(train: "regression: {}\n    " + line)
        #expect(parsingError(text) == message)
    }
}
