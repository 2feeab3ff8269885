internal import MillraceFeatures
internal import MillraceInput
internal import MillraceKafka
internal import MillraceModels
internal import MillraceRepository
internal import MillraceSystem

extension PipelineDefinition {
    /// Checks that the parts fit together: names, references, what topics hold, who writes what,
    /// and that no stage waits for itself.
    ///
    /// - Throws: `usage`, with the place where the definition was read from a file.
    public func validate() throws(PipelineError) {
        guard stages.count <= Self.maxStages else {
            throw error(
                "\(stages.count) stages are too many; \(Self.maxStages) are possible",
                at: stages.last?.position)
        }
        try validateNames()
        for topic in topics { try validate(topic) }
        for source in sources { try validate(source) }
        for source in kafkaSources { try validate(source) }
        for stage in stages { try validate(stage) }
        try validateWriters()
        try validateModels()
        try validateOrder()
    }

    func error(
        _ message: String, at position: SourcePosition?, advice: String? = nil
    ) -> PipelineError {
        PipelineError(.usage, message, advice: advice, file: file, position: position)
    }

    // MARK: Names

    private func validateNames() throws(PipelineError) {
        var topicNames: Set<String> = []
        for topic in topics {
            try validate(topic.name, "topic", at: topic.position)
            guard topicNames.insert(topic.name).inserted else {
                throw error("two topics are called \(quote(topic.name))", at: topic.position)
            }
        }
        var stageNames: Set<String> = []
        var groups: [String: String] = [:]
        for stage in stages {
            try validate(stage.name, "stage", at: stage.position)
            try validate(stage.group, "group", at: stage.position)
            guard stageNames.insert(stage.name).inserted else {
                throw error("two stages are called \(quote(stage.name))", at: stage.position)
            }
            if let other = groups.updateValue(stage.name, forKey: stage.group) {
                throw error(
                    "stages \(quote(other)) and \(quote(stage.name)) are both the group "
                        + quote(stage.group), at: stage.position,
                    advice: "Give one of them another \"group\".")
            }
        }
    }

    private func validate(
        _ name: String, _ what: String, at position: SourcePosition?
    ) throws(PipelineError) {
        guard Names.isValid(name) else {
            throw error(
                "\(quote(name)) is not a valid \(what) name", at: position,
                advice: Names.rule)
        }
    }

    // MARK: References

    private func resolveTopic(_ reference: Reference) throws(PipelineError) -> TopicDefinition {
        guard let topic = topic(named: reference.name) else {
            throw error(
                "there is no topic \(quote(reference.name))", at: reference.position,
                advice: hint(reference.name, among: topics.map(\.name), "topics"))
        }
        return topic
    }

    private func resolveStage(_ reference: Reference) throws(PipelineError) -> StageDefinition {
        guard let stage = stage(named: reference.name) else {
            throw error(
                "there is no stage \(quote(reference.name))", at: reference.position,
                advice: hint(reference.name, among: stages.map(\.name), "stages"))
        }
        return stage
    }

    private func hint(_ name: String, among names: [String], _ what: String) -> String {
        if let near = NearestName.suggest(name, among: names) {
            return "Did you mean \(quote(near))?"
        }
        return names.isEmpty
            ? "The file declares no \(what)."
            : "Declared \(what): \(names.joined(separator: ", "))."
    }

    // MARK: Topics, sources and stages

    private func validate(_ topic: TopicDefinition) throws(PipelineError) {
        guard (1...TopicDefinition.maxPartitions).contains(topic.partitions) else {
            throw error(
                "topic \(quote(topic.name)) has \(topic.partitions) partitions; "
                    + "1 to \(TopicDefinition.maxPartitions) are possible", at: topic.position)
        }
        guard case .features(.stage(let reference), _, let labelled) = topic.content else { return }
        let stage = try resolveStage(reference)
        guard case .preprocess(let work) = stage.work else {
            throw error(
                "topic \(quote(topic.name)) takes its features from stage "
                    + "\(quote(stage.name)), which is not a preprocess stage",
                at: reference.position)
        }
        if labelled && work.definition.label == nil {
            throw error(
                "topic \(quote(topic.name)) is labelled, and stage \(quote(stage.name)) "
                    + "makes no label", at: topic.position,
                advice: "Give the stage a \"label\", or remove \"label: true\".")
        }
        guard stage.outputs.contains(where: { $0.name == topic.name }) else {
            throw error(
                "topic \(quote(topic.name)) takes its features from stage "
                    + "\(quote(stage.name)), which does not write to it", at: reference.position)
        }
    }

    private func validate(_ source: SourceDefinition) throws(PipelineError) {
        let topic = try resolveTopic(source.to)
        guard topic.content == .bytes else {
            throw error(
                "source \(quote(source.file)) needs a topic of bytes, and \(quote(topic.name)) "
                    + "holds \(topic.content.noun)", at: source.to.position)
        }
    }

    private func validate(_ source: KafkaSourceDefinition) throws(PipelineError) {
        let topic = try resolveTopic(source.to)
        let isPossible =
            switch (topic.content, source.format ?? topic.content.kafkaFormat) {
            case (.bytes, .bytes), (.bytes, .block): true
            case (.features(.fixed, _, _), .float32), (.features(.fixed, _, _), .json),
                (.features(.fixed, _, _), .block):
                source.columns == nil
            default: false
            }
        guard !isPossible else { return }
        throw error(
            "source \(quote(source.address.description)) cannot be read into "
                + "\(quote(topic.name)), which holds \(topic.content.noun)",
            at: source.to.position,
            advice: "bytes and block go to topics of bytes, float32, json and block to topics with "
                + "a number of features; columns are for bytes.")
    }

    private func validate(_ stage: StageDefinition) throws(PipelineError) {
        let input = try resolveTopic(stage.input)
        var outputs: [TopicDefinition] = []
        for output in stage.outputs { outputs.append(try resolveTopic(output)) }
        try validateKafka(stage, input, outputs)
        if let after = stage.after { _ = try resolveStage(after) }
        switch stage.work {
        case .preprocess:
            try expect(stage, reads: input, "bytes")
            for (topic, reference) in zip(outputs, stage.outputs) {
                guard case .features(.stage(let encoder), _, _) = topic.content,
                    encoder.name == stage.name
                else {
                    throw error(
                        "stage \(quote(stage.name)) writes to topic \(quote(topic.name)), "
                            + "which does not hold its features", at: reference.position,
                        advice: "Declare the topic with \"features: \(stage.name)\".")
                }
            }
        case .train(let work):
            try expect(stage, reads: input, "features")
            guard case .features(_, _, labelled: true) = input.content else {
                throw error(
                    "stage \(quote(stage.name)) learns from topic \(quote(input.name)), "
                        + "which has no labels", at: stage.input.position,
                    advice: "Declare the topic with \"label: true\".")
            }
            try validateExchange(work, of: stage, input)
        case .score:
            // A record of Kafka, and a raw row, is what its format and the model say.
            if input.kafka == nil, input.content != .bytes {
                try expect(stage, reads: input, "features")
            }
            for (topic, reference) in zip(outputs, stage.outputs)
            where topic.content != .predictions {
                throw error(
                    "stage \(quote(stage.name)) writes predictions to topic "
                        + "\(quote(topic.name)), which holds \(topic.content.noun)",
                    at: reference.position)
            }
        }
        try validateLabels(of: stage, input)
        try validateSettings(of: stage)
    }

    /// The settings of a train or score stage, for definitions that are built in code.
    private func validateSettings(of stage: StageDefinition) throws(PipelineError) {
        func require(_ holds: Bool, _ message: String) throws(PipelineError) {
            guard holds else {
                throw error("stage \(quote(stage.name)) \(message)", at: stage.position)
            }
        }
        switch stage.work {
        case .preprocess: break
        case .train(let work):
            try validate(work.model, "model", at: stage.position)
            try require(work.batchRows > 0, "has batches of \(work.batchRows) rows")
            try require(work.epochs > 0, "has \(work.epochs) epochs")
            for rows in [work.publishEveryRows, work.checkpointEveryRows] {
                try require(rows ?? 1 > 0, "publishes or checkpoints every \(rows ?? 0) rows")
            }
            try require(work.keepVersions ?? 1 > 0, "keeps \(work.keepVersions ?? 0) versions")
            do throws(ModelError) { try work.checkSettings() } catch {
                throw self.error(
                    "stage \(quote(stage.name)): \(error.description)", at: stage.position)
            }
        case .score(let work):
            try validate(work.model.name, "model", at: stage.position)
            switch work.model.selector {
            case .version(let version):
                try require(version > 0, "asks for model version \(version)")
            case .alias(let alias):
                try require(
                    ModelReference.isAlias(alias), "asks for \(quote(alias)), which is no alias")
            }
        }
        try require(stage.cores?.isEmpty != true, "has an empty list of cores")
    }

    private func expect(
        _ stage: StageDefinition, reads topic: TopicDefinition, _ noun: String
    ) throws(PipelineError) {
        guard topic.content.noun == noun else {
            throw error(
                "stage \(quote(stage.name)) reads \(noun), and topic \(quote(topic.name)) "
                    + "holds \(topic.content.noun)", at: stage.input.position)
        }
    }

    /// A learner and the label that it learns have to be of one kind where both are known.
    private func validateLabels(
        of stage: StageDefinition, _ input: TopicDefinition
    ) throws(PipelineError) {
        guard case .train(let train) = stage.work,
            let label = encoder(of: input)?.1.definition.label
        else { return }
        let fits =
            switch (label.rule, train.learner.objective) {
            case (.test, .logistic), (.test, .softmax(classes: 2)), (.test, .regression): true
            case (.value, _): true
            case (.classes(let names), .softmax(let classes)): names.count == classes
            case (.classes(let names), .logistic): names.count == 2
            default: false
            }
        guard fits else {
            throw error(
                "stage \(quote(stage.name)) learns \(train.learner.objective.noun), and the label "
                    + "of topic \(quote(input.name)) is \(label.rule.noun)", at: stage.position)
        }
    }

    // MARK: Writers and order

    private func validateWriters() throws(PipelineError) {
        var writers: [String: String] = [:]
        for reference in sources.map(\.to) + kafkaSources.map(\.to) {
            writers[reference.name] = "a source"
            guard let topic = topic(named: reference.name), topic.kafka != nil else { continue }
            throw error(
                "a source cannot write to \(quote(topic.name)), which is Kafka's",
                at: reference.position)
        }
        for stage in stages {
            for output in stage.outputs {
                let writer = "stage \(quote(stage.name))"
                if let other = writers.updateValue(writer, forKey: output.name) {
                    let who =
                        other == writer
                        ? "\(writer) writes twice" : "\(other) and \(writer) both write"
                    throw error(
                        "\(who) to topic \(quote(output.name))", at: output.position,
                        advice: "A topic has one writer; give each its own.")
                }
            }
        }
    }

    private func validateModels() throws(PipelineError) {
        var trainers: [String: [StageDefinition]] = [:]
        for stage in stages {
            guard case .train(let work) = stage.work else { continue }
            for other in trainers[work.model] ?? [] where !mayPublishTogether(other, stage) {
                throw error(
                    "stages \(quote(other.name)) and \(quote(stage.name)) both publish the model "
                        + quote(work.model), at: stage.position)
            }
            trainers[work.model, default: []].append(stage)
        }
    }

    /// Finds stages that wait for each other's end.
    ///
    /// A stage waits for the one in `after`, and for the writer of what it reads.
    private func validateOrder() throws(PipelineError) {
        var finished: Set<String> = []
        for stage in stages {
            var path: [String] = []
            try visit(stage, path: &path, finished: &finished)
        }
    }

    /// The stages that train the model that `stage` scores with.
    private func trainers(of stage: StageDefinition) -> [StageDefinition] {
        guard case .score(let score) = stage.work, score.model.version == nil else { return [] }
        return stages.filter { $0.trains(score.model.name) }
    }

    private func visit(
        _ stage: StageDefinition, path: inout [String], finished: inout Set<String>
    ) throws(PipelineError) {
        guard !finished.contains(stage.name) else { return }
        if let start = path.firstIndex(of: stage.name) {
            let cycle = (path[start...] + [stage.name]).joined(separator: " -> ")
            throw error(
                "stages wait for each other: \(cycle)", at: stage.after?.position ?? stage.position,
                advice: "A stage waits for the one in \"after\", the writer of its topic, and the "
                    + "trainer of its model.")
        }
        path.append(stage.name)
        let before = [stage.after?.name, writer(of: stage.input.name)?.name].compactMap(\.self)
        for next in before.compactMap(self.stage(named:)) + trainers(of: stage) {
            try visit(next, path: &path, finished: &finished)
        }
        path.removeLast()
        finished.insert(stage.name)
    }
}
