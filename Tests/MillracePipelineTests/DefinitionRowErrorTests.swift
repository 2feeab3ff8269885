import MillracePipeline
import Testing

/// Messages about features, labels, routes, models and how the parts fit together.
@Suite struct DefinitionRowErrorTests {
    @Test(arguments: [
        ("[]", "features: the list is empty"),
        ("a", "features: expected a list of features, found \"a\""),
        ("[a]", "a feature: expected a mapping, found \"a\""),
        ("[{}]", "a feature needs one of the keys \"column\", \"columns\", \"cross\""),
        (
            "[{column: a, onehot: auto}]",
            "unknown key \"onehot\" in a feature\n  Did you mean \"oneHot\"?"
        ),
        (
            "[{column: a, oneHot: auto}]",
            "\"oneHot: auto\" needs a \"limit\"\n"
                + "  It says how many values get a column of their own."
        ),
        ("[{column: a, oneHot: []}]", "oneHot: expected auto or a list of values, found a list"),
        ("[{column: a, oneHot: [x, x]}]", "oneHot: \"x\" is listed twice"),
        ("[{column: a, oneHot: [x], limit: 3}]", "\"limit\" means nothing beside a list of values"),
        ("[{column: a, limit: 3}]", "\"limit\" needs \"oneHot: auto\""),
        ("[{column: a, hash: 8, scale: standard}]", "\"scale\" means nothing beside \"hash\""),
        (
            "[{column: a, hash: 8, oneHot: [b]}]",
            "a feature takes only one of the keys \"oneHot\", \"hash\""
        ),
        ("[{column: a, hash: 0}]", "hash: expected a whole number from 1 to 65536, found \"0\""),
        ("[{column: a, impute: median}]", "impute: expected mean or a number, found \"median\""),
        (
            "[{column: a, clip: 3}]",
            "clip: expected two numbers, the lower bound and the upper, found \"3\""
        ),
        ("[{column: a, clip: [3, 1]}]", "clip: the upper bound \"1\" is below the lower"),
        (
            "[{column: a, scale: robust}]",
            "scale: expected standard, minMax or {minMax: [LOW, HIGH]}, found \"robust\""
        ),
        (
            "[{column: a, scale: {minmax: [0, 1]}}]",
            "unknown key \"minmax\" in scale\n  Did you mean \"minMax\"?"
        ),
        (
            "[{column: a, as: date}]",
            "as: expected plain, hhmm, boolean, minuteOfDay, dayOfWeek, dayOfYear, monthOfYear, year "
                + "or daysSinceEpoch, found \"date\""
        ),
        ("[{cross: [a], hash: 4}]", "cross: at least two columns are needed"),
        (
            "[{cross: [a, b]}]",
            "\"cross\" needs a \"hash\"\n  "
                + "It says how many features the pairs of values are spread over."
        ),
        ("[{cross: [a, b], hash: 4, impute: 0}]", "\"impute\" means nothing beside \"cross\""),
        (
            "[{column: a, cross: [a, b]}]",
            "a feature takes only one of the keys \"column\", \"columns\", \"cross\""
        ),
        ("[{column: a, period: 0}]", "period: expected a number above 0, found \"0\""),
        ("[{column: a, bucketize: [2, 1]}]", "bucketize: edges must rise, and \"1\" does not"),
        ("[{column: a, bucketize: auto}]", "\"bucketize: auto\" needs a number of \"buckets\""),
    ])
    func features(features: String, message: String) {
        #expect(messageOf(smallPipeline(features: features)) == message)
    }

    @Test(arguments: [
        ("{}", "label lacks the key \"column\""),
        (
            "{column: y}",
            "label needs one of the keys \"atMost\", \"atLeast\", \"lessThan\", \"greaterThan\", "
                + "\"equals\", \"in\", \"value\", \"class\""
        ),
        ("{column: y, value: false}", "value: expected true, found \"false\""),
        ("{column: y, class: [a]}", "class: at least two classes are needed"),
        (
            "{column: y, above: 3}",
            "unknown key \"above\" in label\n  Known keys: column, atMost, "
                + "atLeast, lessThan, greaterThan, equals, in, value, class, missing."
        ),
        (
            "{column: y, value: true, missing: drop}",
            "missing: expected unlabelled, reject or negative, found \"drop\""
        ),
        (
            "{column: y, class: [a, b, c]}",
            "stage \"learn\" learns a number, and the label of topic \"rows\" is one of 3 classes"
        ),
    ])
    func labels(label: String, message: String) {
        #expect(messageOf(smallPipeline(label: label)) == message)
    }

    @Test(arguments: [
        ("regression: 5", "regression: expected a mapping, found \"5\""),
        ("regression: {a: 1}", "regression: expected no settings, as in \"regression: {}\""),
        ("softmax: {}", "softmax needs the number of \"classes\""),
        ("softmax: {classes: 1}", "classes: expected a whole number from 2 to 65536, found \"1\""),
        ("mlp: {}", "mlp lacks the key \"hidden\""),
        ("mlp: {hidden: []}", "hidden: expected 1 to 32 layers, found 0"),
        ("mlp: {hidden: [0]}", "hidden: expected a whole number from 1 to 65536, found \"0\""),
        (
            "mlp: {hidden: [4], activation: swish}",
            "activation: expected relu, leakyReLU, tanh, sigmoid or gelu, found \"swish\""
        ),
        (
            "epochs: 3",
            "stage \"learn\" needs one of the keys \"regression\", \"logistic\", \"softmax\", "
                + "\"mlp\""
        ),
    ])
    func learners(train: String, message: String) {
        #expect(messageOf(smallPipeline(train: train)) == message)
    }

    @Test(arguments: [
        ("to: rows", "to: []", "to: the list of topics is empty"),
        (
            "to: rows", "to: [{topic: rows, where: {}}]",
            "\"where\" needs one of the keys \"column\", \"offset\""
        ),
        (
            "to: rows", "to: [{topic: rows, where: {column: a}}]",
            "\"where\" needs a test of the column, such as \"atMost\""
        ),
        (
            "to: rows", "to: [{topic: rows, where: {offset: {modulo: 3, equals: 3}}}]",
            "equals: expected a whole number from 0 to 2, found \"3\""
        ),
        (
            "to: rows", "to: [{topic: rows, where: {offset: {modulo: 3, equals: 0}, atMost: 1}}]",
            "\"atMost\" cannot stand beside \"offset\""
        ),
        (
            "to: rows", "to: [{topic: rows}, {topic: raw}]",
            "to: no row is left for this topic\n"
                + "  Only the last topic may be without a \"where\"."
        ),
        (
            "to: scores", "to: scors",
            "there is no topic \"scors\"\n  Did you mean \"scores\"?"
        ),
        (
            "to: rows", "to: raw",
            "topic \"rows\" takes its features from stage \"prepare\", which does not write to it"
        ),
        (
            "kind: score", "kind: scorer",
            "kind: expected preprocess, train or score, found \"scorer\""
        ),
        (
            "kind: score", "group: g",
            "stage \"predict\" lacks the key \"kind\"\n  It is preprocess, train or score."
        ),
        (
            "to: scores", "to: raw",
            "stage \"predict\" writes predictions to topic \"raw\", which holds bytes"
        ),
        (
            "to: scores\n    model: m", "to: scores\n    model: m@1x",
            "model: m@1x: '1x' is neither a version, from 1, nor an alias; "
                + "a model is named as NAME, NAME@7 or NAME@stable"
        ),
        (
            "to: scores", "to: scores\n    kernels: sse",
            "kernels: expected avx512, avx2, portable or blas, found \"sse\""
        ),
        (
            "to: scores", "to: scores\n    precision: int4",
            "precision: expected float32, bfloat16 or int8, found \"int4\""
        ),
        (
            "label: true}", "label: false}",
            "stage \"learn\" learns from topic \"rows\", which has no labels\n"
                + "  Declare the topic with \"label: true\"."
        ),
        (
            "{features: prepare,", "{features: learn,",
            "topic \"rows\" takes its features from stage \"learn\", which is not a preprocess "
                + "stage"
        ),
        (
            "{features: prepare,", "{features: 3,",
            "stage \"prepare\" writes to topic \"rows\", which does not hold its features\n"
                + "  Declare the topic with \"features: prepare\"."
        ),
        (
            "file: a.csv, to: raw", "file: a.csv, to: rows",
            "source \"a.csv\" needs a topic of bytes, and \"rows\" holds features"
        ),
        (
            "file: a.csv, to: raw", "file: a.csv, to: raw, header: no",
            "header: expected true or a list of column names, found \"no\""
        ),
        (
            "kind: train\n    from: rows", "kind: train\n    from: raw",
            "stage \"learn\" reads features, and topic \"raw\" holds bytes"
        ),
        (
            "kind: train", "kind: train\n    after: predict\n    group: g",
            "stages wait for each other: learn -> predict -> learn\n"
                + "  A stage waits for the one in \"after\", the writer of its topic, and the "
                + "trainer of its model."
        ),
        (
            "label: {column: y, value: true}", "badRows: skip",
            "topic \"rows\" is labelled, and stage \"prepare\" makes no label\n"
                + "  Give the stage a \"label\", or remove \"label: true\"."
        ),
    ])
    func references(text: String, replacement: String, message: String) {
        #expect(messageOf(smallPipeline().replacing(text, with: replacement)) == message)
    }

    @Test func oneWriterForATopic() {
        let second = """
              again:
                kind: score
                from: rows
                to: scores
                model: m
            """
        #expect(
            messageOf(smallPipeline(stages: second))
                == "stage \"predict\" and stage \"again\" both write to topic \"scores\"\n"
                + "  A topic has one writer; give each its own.")
    }

    @Test func oneTrainerForAModel() {
        let second = """
              again:
                kind: train
                from: rows
                regression:
                model: m
            """
        #expect(
            messageOf(smallPipeline(stages: second))
                == "stages \"learn\" and \"again\" both publish the model \"m\"")
    }

    @Test func stagesDoNotWaitInACircle() {
        let text = smallPipeline(
            train: "regression: {}\n    after: predict", score: "    after: prepare",
            preprocess: "    after: learn")
        #expect(
            messageOf(text)
                == "stages wait for each other: prepare -> learn -> predict -> prepare\n"
                + "  A stage waits for the one in \"after\", the writer of its topic, and the "
                + "trainer of its model.")
    }

    /// The error without its place.
    private func messageOf(_ text: String) -> String {
        do throws(PipelineError) {
            _ = try PipelineDefinition.parse(text, file: "p.yaml")
            return "no error"
        } catch {
            #expect(error.position != nil)
            return error.message + (error.advice.map { "\n  \($0)" } ?? "")
        }
    }
}
