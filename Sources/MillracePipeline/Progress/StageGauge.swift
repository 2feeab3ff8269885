/// A number that some stages have at a moment, by the name under which it is told: the one list for
/// Prometheus and for the metrics backend of a host.
package struct StageGauge: Sendable {
    /// What it is called, unit included.
    package let name: String
    /// What it is, in a line.
    package let help: String
    /// The number; nil for a stage that has none.
    package let value: @Sendable (StageProgress) -> Double?

    /// All of them.
    package static let all = [
        StageGauge(
            name: "millrace_stage_model_version",
            help: "The model version in use, or published last."
        ) { $0.modelVersion.map { Double($0) } },
        StageGauge(
            name: "millrace_stage_model_created_timestamp_seconds",
            help: "When that version was published, since 1970."
        ) { $0.modelCreated.map { Double($0) } },
        StageGauge(
            name: "millrace_kafka_lag_rows",
            help: "Records of Kafka there and without an outcome yet."
        ) { $0.kafka.map { Double($0.lag) } },
        StageGauge(
            name: "millrace_kafka_partitions",
            help: "Partitions in Kafka that the process owns."
        ) { $0.kafka.map { Double($0.partitions.count) } },
        StageGauge(
            name: "millrace_stage_loss", help: "Prequential log-loss, or squared error."
        ) { $0.loss },
        StageGauge(name: "millrace_stage_accuracy", help: "Prequential accuracy, 0 to 1.") {
            $0.accuracy
        },
        StageGauge(
            name: "millrace_stage_auc", help: "Prequential area under the ROC curve."
        ) { $0.auc },
    ]
}
