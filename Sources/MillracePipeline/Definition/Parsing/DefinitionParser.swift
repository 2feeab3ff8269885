/// Turns the values of a pipeline file into a definition, without the checks across parts.
struct DefinitionParser {
    let file: String
    let decoder: ValueDecoder

    init(file: String) {
        self.file = file
        decoder = ValueDecoder(file: file)
    }

    enum Key: String, CaseIterable {
        case topics, sources, stages
    }

    func pipeline(_ root: YAMLValue) throws(PipelineError) -> PipelineDefinition {
        if case .null = root.content {
            throw PipelineError(
                .usage, "the pipeline file is empty",
                advice: "It needs the keys \"topics\" and \"stages\".", file: file)
        }
        let fields = try Fields<Key>(root, of: "the pipeline file", decoder)
        var definition = PipelineDefinition(file: file, topics: [], stages: [])
        for entry in try named(fields.required(.topics), "topic") {
            definition.topics.append(try topic(entry))
        }
        if let value = fields[.sources] {
            for source in try decoder.list(value, "sources", of: "files or Kafka topics") {
                if isKafka(source) {
                    definition.kafkaSources.append(try kafkaSource(source))
                } else {
                    definition.sources.append(try self.source(source))
                }
            }
        }
        try stages(named(fields.required(.stages), "stage"), into: &definition)
        return definition
    }

    /// The entries of a mapping from names to definitions.
    private func named(
        _ value: YAMLValue, _ what: String
    ) throws(PipelineError) -> [YAMLValue.Entry] {
        let entries = try decoder.entries(value, what + "s")
        for entry in entries {
            try decoder.name(entry.key, what, at: entry.keyPosition)
        }
        return entries
    }
}
