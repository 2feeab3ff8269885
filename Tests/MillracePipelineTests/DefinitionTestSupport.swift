import MillracePipeline
import Testing

/// The pipeline of the documentation, written out.
let flightsPipeline = """
    topics:
      flights.raw:    {partitions: 2, bytes: true}
      flights.train:  {partitions: 2, features: prepare, dtype: float32, label: true}
      flights.live:   {partitions: 2, features: prepare, dtype: float32, label: true}
      flights.scores: {partitions: 2, predictions: true, codec: none}
    sources:
      - {file: flights.csv.lz4, format: csv, to: flights.raw}
    stages:
      prepare:
        kind: preprocess
        from: flights.raw
        to:
          - {topic: flights.train, where: {column: month, atMost: 10}}
          - {topic: flights.live}
        label: {column: arr_delay, greaterThan: 15, missing: unlabelled}
        features:
          - {column: dep_delay, impute: mean, scale: standard}
          - {column: sched_dep_time, as: hhmm, scale: standard}
          - {column: carrier, oneHot: auto, limit: 24}
          - {column: dest, hash: 64}
      learn:
        kind: train
        from: flights.train
        model: flights-delay
        logistic: {}
        optimizer: {adam: {rate: 0.001}}
        batch: 512
        publish: {everyRows: 50000}
      predict:
        kind: score
        from: flights.live
        to: flights.scores
        model: flights-delay
        after: learn
        cores: [0, 1]
        assignor: sticky
    """

/// A small pipeline whose parts a test replaces.
func smallPipeline(
    topics: String = "", stages: String = "", label: String = "{column: y, value: true}",
    features: String = "[{column: a}]", train: String = "regression: {}",
    score: String = "", preprocess: String = "", sources: String = ""
) -> String {
    """
    topics:
      raw: {bytes: true}
      rows: {features: prepare, label: true}
      scores: {predictions: true}
    \(topics)
    sources:
      - {file: a.csv, to: raw}
    \(sources)
    stages:
      prepare:
        kind: preprocess
        from: raw
        to: rows
        label: \(label)
        features: \(features)
    \(preprocess)
      learn:
        kind: train
        from: rows
        model: m
        \(train)
      predict:
        kind: score
        from: rows
        to: scores
        model: m
    \(score)
    \(stages)
    """
}

/// The whole text of the error that parsing ends with.
func parsingError(_ text: String) -> String {
    do throws(PipelineError) {
        _ = try PipelineDefinition.parse(text, file: "p.yaml")
        return "no error"
    } catch {
        #expect(error.code == .usage)
        return error.description
    }
}
