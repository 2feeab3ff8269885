import MillraceCompute
import MillraceFeatures
import MillraceGroups
import MillraceModels
import MillracePipeline
import MillraceRepository
import Testing

@Suite struct DefinitionParsingTests {
    @Test func readsTheDocumentedPipeline() throws {
        let pipeline = try PipelineDefinition.parse(flightsPipeline, file: "models/flights.yaml")

        #expect(
            pipeline.topics == [
                TopicDefinition(name: "flights.raw", partitions: 2, content: .bytes),
                TopicDefinition(
                    name: "flights.train", partitions: 2,
                    content: .features(
                        width: .stage("prepare"), element: .float32, labelled: true)),
                TopicDefinition(
                    name: "flights.live", partitions: 2,
                    content: .features(
                        width: .stage("prepare"), element: .float32, labelled: true)),
                TopicDefinition(
                    name: "flights.scores", partitions: 2, content: .predictions, codec: .none),
            ])
        #expect(
            pipeline.sources == [
                SourceDefinition(
                    file: "flights.csv.lz4", path: "models/flights.csv.lz4", to: "flights.raw")
            ])

        let prepare = PreprocessStage(
            from: "flights.raw", to: ["flights.train", "flights.live"],
            definition: PreprocessDefinition(
                features: [
                    FeatureDefinition(
                        column: "dep_delay",
                        encoding: .number(NumberEncoding(scale: .standard, impute: .mean))),
                    FeatureDefinition(
                        column: "sched_dep_time",
                        encoding: .number(NumberEncoding(format: .hhmm, scale: .standard))),
                    FeatureDefinition(column: "carrier", encoding: .oneHot(.auto(limit: 24))),
                    FeatureDefinition(column: "dest", encoding: .hash(buckets: 64)),
                ],
                label: LabelRule(column: "arr_delay", rule: .test(.greaterThan(15))),
                routes: [.column("month", [.atMost(10)]), nil]))
        let learn = TrainStage(
            from: "flights.train", model: "flights-delay",
            learner: LearnerDefinition(objective: .logistic),
            optimizer: .adam(rate: 0.001),
            batchRows: 512, publishEveryRows: 50_000)
        let predict = ScoreStage(from: "flights.live", to: "flights.scores", model: "flights-delay")
        #expect(
            pipeline.stages == [
                StageDefinition(name: "prepare", work: .preprocess(prepare)),
                StageDefinition(name: "learn", work: .train(learn)),
                StageDefinition(
                    name: "predict", work: .score(predict), cores: [0, 1], after: "learn"),
            ])
        #expect(pipeline.stage(named: "predict")?.after?.position?.line == 34)
        #expect(pipeline.topic(named: "flights.live")?.position == .init(line: 4, column: 3))
        #expect(pipeline.writer(of: "flights.live")?.name == "prepare")
    }

    @Test func readsEveryFeatureEncoding() throws {
        let text = smallPipeline(
            features: """
                [{columns: "p*"}, {column: t, as: hhmm, period: 1440}, {column: x, impute: -1.5},
                 {column: c, oneHot: [AA, "7"]}, {column: b, bucketize: [-1, 0, 2.5]},
                 {column: e, bucketize: auto, buckets: 8},
                 {column: f, as: boolean, clip: [-1, 2], log1p: true, scale: minMax},
                 {column: g, as: dayOfWeek, scale: {minMax: [0, 6]}, impute: mean, indicator: true},
                 {cross: [c, b, e], hash: 32}]
                """)
        let pipeline = try PipelineDefinition.parse(text, file: "p.yaml")
        guard case .preprocess(let work) = pipeline.stages[0].work else {
            Issue.record("the first stage preprocesses")
            return
        }
        #expect(
            work.definition.features == [
                FeatureDefinition(column: "p*", encoding: .number(NumberEncoding())),
                FeatureDefinition(
                    column: "t", encoding: .number(NumberEncoding(format: .hhmm, period: 1440))),
                FeatureDefinition(
                    column: "x", encoding: .number(NumberEncoding(impute: .constant(-1.5)))),
                FeatureDefinition(column: "c", encoding: .oneHot(.listed(["AA", "7"]))),
                FeatureDefinition(column: "b", encoding: .bucketize(.listed([-1, 0, 2.5]))),
                FeatureDefinition(column: "e", encoding: .bucketize(.auto(count: 8))),
                FeatureDefinition(
                    column: "f",
                    encoding: .number(
                        NumberEncoding(
                            format: .boolean, clip: -1...2, log1p: true, scale: .minMax(nil)))),
                FeatureDefinition(
                    column: "g",
                    encoding: .number(
                        NumberEncoding(
                            format: .dayOfWeek, scale: .minMax(0...6), impute: .mean,
                            indicator: true))),
                FeatureDefinition(column: "c", encoding: .cross(with: ["b", "e"], buckets: 32)),
            ])
    }

    @Test(arguments: [
        ("rows: jsonl", RowSchema(.jsonl, columns: ["a", "b", "y"])),
        ("rows: lines", RowSchema(.lines, columns: ["line"])),
        ("columns: [y, b, a]", RowSchema(columns: ["y", "b", "a"])),
        (
            "rows: jsonl\n    columns: [y, b, a, z]",
            RowSchema(.jsonl, columns: ["y", "b", "a", "z"])
        ),
    ])
    func readsWhatRowsAre(_ text: String, _ rows: RowSchema) throws {
        let pipeline = try PipelineDefinition.parse(
            smallPipeline(features: "[{cross: [a, b], hash: 4}]", preprocess: "    " + text),
            file: "p.yaml")
        guard case .preprocess(let work) = pipeline.stages[0].work else {
            Issue.record("the first stage preprocesses")
            return
        }
        #expect(work.rows == rows)
    }

    @Test(arguments: [
        ("{column: y, atLeast: 1}", LabelRule.Rule.test(.atLeast(1))),
        ("{column: y, equals: 04}", .test(.equals("04"))),
        ("{column: y, in: [a, b]}", .test(.isIn(["a", "b"]))),
        ("{column: y, class: [cat, dog]}", .classes(["cat", "dog"])),
    ])
    func readsLabels(text: String, rule: LabelRule.Rule) throws {
        let pipeline = try PipelineDefinition.parse(
            smallPipeline(label: text, train: "mlp: {hidden: [8, 4], activation: tanh}"),
            file: "p.yaml")
        guard case .preprocess(let prepare) = pipeline.stages[0].work,
            case .train(let learn) = pipeline.stages[1].work
        else {
            Issue.record("the stages preprocess and train")
            return
        }
        #expect(prepare.definition.label == LabelRule(column: "y", rule: rule))
        #expect(
            learn.learner
                == LearnerDefinition(hidden: [8, 4], activation: .tanh, objective: .logistic))
    }

    @Test func readsConditionsOnOffsets() throws {
        let text = flightsPipeline.replacing(
            "where: {column: month, atMost: 10}", with: "where: {offset: {modulo: 5, equals: 4}}")
        let pipeline = try PipelineDefinition.parse(text, file: "p.yaml")
        guard case .preprocess(let work) = pipeline.stages[0].work else {
            Issue.record("the first stage preprocesses")
            return
        }
        #expect(work.definition.routes == [.offset(modulo: 5, equals: 4), nil])
    }

    @Test(arguments: [
        ("regression: {}", LearnerDefinition(objective: .regression)),
        ("regression:", LearnerDefinition(objective: .regression)),
        ("logistic: {}", LearnerDefinition(objective: .logistic)),
        ("softmax: {classes: 10}", LearnerDefinition(objective: .softmax(classes: 10))),
        ("mlp: {hidden: [3]}", LearnerDefinition(hidden: [3], objective: .regression)),
        (
            "mlp: {hidden: [3], classes: 10}",
            LearnerDefinition(hidden: [3], objective: .softmax(classes: 10))
        ),
    ])
    func readsLearners(text: String, learner: LearnerDefinition) throws {
        let pipeline = try PipelineDefinition.parse(smallPipeline(train: text), file: "p.yaml")
        guard case .train(let work) = pipeline.stages[1].work else {
            Issue.record("the second stage trains")
            return
        }
        #expect(work.learner == learner)
    }

    @Test func classesFollowFromTheLabel() throws {
        let pipeline = try PipelineDefinition.parse(
            smallPipeline(label: "{column: y, class: [a, b, c]}", train: "softmax: {}"),
            file: "p.yaml")
        guard case .train(let work) = pipeline.stages[1].work else {
            Issue.record("the second stage trains")
            return
        }
        #expect(work.learner.objective == .softmax(classes: 3))
    }

    @Test func readsTheSettingsOfStages() throws {
        let text = smallPipeline(
            train:
                "softmax: {classes: 3}\n    batch: 64\n    epochs: 30\n    seed: 7\n    l2: 1e-4\n    schedule: {cosine: {steps: 900}}\n"
                + "    checkpoint: {everyRows: 1_000}\n    group: trainers\n    assignor: hash",
            score: "    kernels: portable\n    precision: bfloat16\n",
            preprocess: "    badRows: fail\n    fitRows: 10\n"
                + "    missingValues: [\"\", NA]\n",
            sources: "  - {file: /b.csv, header: [a, y], to: raw, badRows: fail, maxLineBytes: 64}"
        )
        .replacing("to: scores\n    model: m", with: "to: scores\n    model: m@12")
        let pipeline = try PipelineDefinition.parse(text, file: "dir/p.yaml")

        #expect(
            pipeline.sources[1]
                == SourceDefinition(
                    file: "/b.csv", header: .columns(["a", "y"]), to: "raw", badRows: .fail,
                    maxLineBytes: 64))
        guard case .preprocess(let prepare) = pipeline.stages[0].work else {
            Issue.record("the first stage preprocesses")
            return
        }
        #expect(prepare.definition.onBadRow == .fail)
        #expect(prepare.definition.fitRows == 10)
        #expect(prepare.definition.missingValues == ["", "NA"])
        let train = TrainStage(
            from: "rows", model: "m", learner: LearnerDefinition(objective: .softmax(classes: 3)),
            schedule: .cosine(steps: 900), batchRows: 64, epochs: 30, seed: 7,
            regularization: Regularization(l2: 1e-4),
            checkpointEveryRows: 1000)
        #expect(
            pipeline.stages[1]
                == StageDefinition(
                    name: "learn", work: .train(train), group: "trainers", assignor: .hash))
        let score = ScoreStage(
            from: "rows", to: "scores", model: "m@12", kernels: .portable,
            precision: .bfloat16)
        #expect(pipeline.stages[2] == StageDefinition(name: "predict", work: .score(score)))
    }

    @Test func readsEveryTrainKey() throws {
        let text = smallPipeline(
            train: """
                regression: {}
                    loss: {huber: {delta: 0.5}}
                    optimizer: {momentum: {rate: 0.1, momentum: 0.8, nesterov: true}}
                    schedule: {step: {steps: 100, factor: 0.5, warmUp: 10}}
                    l1: 0.25
                    l2: 0.5
                    clipGradient: {norm: 2}
                    sync: {average: {everyRows: 4096}}
                    holdOut: {everyRows: 64}
                    gate: {margin: 0.1, rows: 500}
                    drift: {threshold: 3, shift: 0.5}
                    publish: {keepVersions: 4}
                    kernels: blas
                """)
        let pipeline = try PipelineDefinition.parse(text, file: "p.yaml")
        guard case .train(let found) = pipeline.stages[1].work else {
            Issue.record("the second stage trains")
            return
        }
        var wanted = TrainStage(
            from: "rows", model: "m", learner: LearnerDefinition(objective: .regression),
            optimizer: .momentum(rate: 0.1, momentum: 0.8, nesterov: true),
            schedule: .step(steps: 100, factor: 0.5),
            regularization: Regularization(l1: 0.25, l2: 0.5, clipNorm: 2))
        wanted.loss = .huber(delta: 0.5)
        wanted.warmUpSteps = 10
        wanted.synchronization = .average(everyRows: 4096)
        wanted.holdOut = .every(rows: 64)
        wanted.gate = PublishGate(margin: 0.1, rows: 500)
        wanted.drift = DriftDetection(threshold: 3, shift: 0.5)
        wanted.keepVersions = 4
        wanted.kernels = .blas
        #expect(found == wanted)
    }

    @Test(arguments: [
        ("optimizer: sgd", Optimizer.sgd()),
        ("optimizer: {adagrad: {epsilon: 1.0e-6}}", .adagrad(epsilon: 1e-6)),
        ("optimizer: {adamw: {weightDecay: 0.1}}", .adamW(weightDecay: 0.1)),
        ("optimizer: {ftrl: {alpha: 0.5, beta: 2}}", .ftrl(alpha: 0.5, beta: 2)),
        ("optimizer: momentum", .momentum()), ("seed: 1", .adam()),
    ])
    func readsOptimizers(line: String, optimizer: Optimizer) throws {
        let text = smallPipeline(
            train: "logistic: {}\n    mode: sequential\n    classWeights: [1, 2.5]\n"
                + "    holdOut: {offsets: {from: 5, to: 9}}\n    sync: average\n    \(line)")
        let pipeline = try PipelineDefinition.parse(text, file: "p.yaml")
        guard case .train(let found) = pipeline.stages[1].work else {
            Issue.record("the second stage trains")
            return
        }
        #expect(found.optimizer == optimizer)
        #expect(found.mode == .sequential && found.classWeights == [1, 2.5])
        #expect(found.holdOut == .offsets(5...9))
        #expect(found.synchronization == .average(everyRows: 8192))
    }

    @Test func aliasesUnfold() throws {
        let text = smallPipeline(
            topics: "  one: &t {bytes: true, partitions: 3}\n  two: *t")
        let pipeline = try PipelineDefinition.parse(text, file: "p.yaml")
        #expect(pipeline.topic(named: "two")?.partitions == 3)
    }

    @Test func missingFilesAreNoInput() {
        let error = #expect(throws: PipelineError.self) {
            try PipelineDefinition.load("/nowhere/p.yaml")
        }
        #expect(error?.code == .noInput)
        #expect(
            error?.description
                == "/nowhere/p.yaml: cannot read the pipeline file: No such file or directory")
    }

    @Test func settingsBuiltInCodeAreCheckedToo() throws {
        var pipeline = try PipelineDefinition.parse(flightsPipeline, file: "p.yaml")
        guard case .train(var work) = pipeline.stages[1].work else {
            Issue.record("the second stage trains")
            return
        }
        work.batchRows = 0
        pipeline.stages[1].work = .train(work)
        let error = #expect(throws: PipelineError.self) { try pipeline.validate() }
        #expect(error?.message == "stage \"learn\" has batches of 0 rows")
    }

    @Test func definitionsBuiltInCodeAreCheckedToo() {
        let pipeline = PipelineDefinition(
            topics: [TopicDefinition(name: "a b", content: .bytes)], stages: [])
        let error = #expect(throws: PipelineError.self) { try pipeline.validate() }
        #expect(
            error?.description == """
                "a b" is not a valid topic name
                  Use 1 to 249 letters, digits, dots, underscores and hyphens (a-z A-Z 0-9 . _ -).
                """)
    }
}
