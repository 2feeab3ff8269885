internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceInput
internal import MillraceLog

extension ProduceLoop {
    static func open(
        _ options: ProduceOptions, _ configuration: TopicConfiguration
    ) throws(PipelineError) -> LineReader {
        let columns = configuration.features + (configuration.label ? 1 : 0)
        do throws(InputError) {
            guard options.format == .f32 else {
                return try LineReader(
                    stream: options.path, maxLineBytes: TopicProducer.maxLineBytes)
            }
            return try LineReader(stream: options.path, recordBytes: 4 * columns)
        } catch { throw PipelineError(error) }
    }

    /// How a named producer spreads its rows; nil for one without a name.
    ///
    /// - Throws: `PipelineError` with `usage` where the producer has spread its rows otherwise.
    static func spread(
        of topic: Topic, _ options: ProduceOptions, _ partitioner: PartitionerKind
    ) throws(PipelineError) -> InputSpread? {
        guard let producer = options.producer else { return nil }
        let rule = partitioner.rawValue + (options.key.map { " of \($0)" } ?? "")
        return try InputSpread.of(ProducerLane.prefix + producer, in: topic, rule: rule)
    }

    static func lanes(
        of topic: Topic, _ options: ProduceOptions, partitions: Int
    ) throws(PipelineError) -> [ProducerLane] {
        let acknowledgement: Acknowledgement? =
            switch options.durability {
            case nil: nil
            case .batch: .durable
            case .some: .appended
            }
        do throws(LogError) {
            var lanes: [ProducerLane] = []
            for partition in 0..<partitions {
                lanes.append(
                    try ProducerLane(
                        topic, partition: partition, producer: options.producer,
                        acknowledgement: acknowledgement))
            }
            return lanes
        } catch { throw PipelineError(error) }
    }

    /// What reads the rows; of a CSV file the header has been read then, and is known to the topic.
    static func decoder(
        _ reader: inout LineReader, _ topic: Topic, _ options: ProduceOptions, _ file: String,
        _ stop: StopFlag
    ) throws(PipelineError) -> any RowDecoder {
        let configuration = topic.configuration
        switch options.format {
        case .f32: return FloatDecoder(hasLabel: configuration.label)
        case .lines, nil: return LineDecoder()
        case .jsonl:
            return JSONRowDecoder(
                options: options, width: configuration.features, hasLabels: configuration.label)
        case .csv:
            let header = try header(&reader, file, stop)
            let decoder = try CSVRowDecoder(
                header, path: file, options: options, width: configuration.features,
                hasLabels: configuration.label)
            if configuration.kind == .bytes { try declare(header, topic, file) }
            return decoder
        }
    }

    private static func header(
        _ reader: inout LineReader, _ file: String, _ stop: StopFlag
    ) throws(PipelineError) -> CSVHeader {
        do throws(InputError) {
            while !stop.isSet, try !reader.isReady(withinMilliseconds: idleMilliseconds) {}
        } catch { throw PipelineError(error) }
        guard !stop.isSet else {
            throw PipelineError(.interrupted, "stopped before the first line of \(file)")
        }
        do throws(InputError) {
            if let line = try reader.next(), !line.isTooLong {
                return try CSVHeader(line: reader.text, path: file)
            }
        } catch { throw PipelineError(error) }
        throw PipelineError(
            .badData, "expected a line with the names of the columns", file: file,
            position: SourcePosition(line: 1, column: 1))
    }

    /// Lets the topic say what the columns of its rows are called, as a file source does.
    private static func declare(
        _ header: CSVHeader, _ topic: Topic, _ file: String
    ) throws(PipelineError) {
        let wanted = RowSchema(columns: header.names)
        let known: RowSchema
        do throws(LogError) {
            guard let found = try topic.rowSchema() else { return try topic.declare(wanted) }
            known = found
        } catch { throw PipelineError(error) }
        guard known != wanted else { return }
        throw PipelineError(
            .badData,
            "topic '\(topic.name)' has other rows: \(known.text)",
            advice: "Produce the file into another topic.", file: file,
            position: SourcePosition(line: 1, column: 1))
    }
}
