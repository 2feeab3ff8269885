import MillraceCompute
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceRepository

/// What a version was measured to be in bfloat16, and what comes of it.
@Suite struct CalibrationTests {
    private static let rows = 300

    private let bench: CalibrationBench

    init() throws {
        bench = try CalibrationBench("millrace-precisions", seed: 71, rows: Self.rows)
    }

    private var repository: ModelRepository { bench.repository }
    private var model: Model { bench.model }
    private var features: [Float] { bench.features }
    private var version: String { bench.version }
    private var file: String { bench.file }

    @discardableResult
    private func calibrate(
        _ features: [Float]? = nil, bound: Double? = nil
    ) throws -> CalibratedPrecision {
        try bench.calibrate(.bfloat16, features, bound: bound)
    }

    private func load(_ reduced: ReducedKernels?) throws -> LoadedModel {
        try repository.load("m", version: 1, precision: .bfloat16, reduced: reduced)
    }

    private func refusal(of calibration: consuming Calibration) -> RepositoryError.Code? {
        do throws(RepositoryError) {
            _ = try calibration.record(source: "")
            return nil
        } catch { return error.code }
    }

    private func bytes(_ path: String) throws -> [UInt8] {
        try Files.read(path, maxBytes: 1 << 20)
    }

    // MARK: Measuring

    @Test func differencesAreThoseOfThePredictions() throws {
        let measured = try calibrate()
        let exact = PreparedModel(model).predict(features)
        let golden = try repository.manifest("m", version: 1).golden
        let reference = ReferenceModel(model)
        var (largest, mean, goldenError) = (0.0, 0.0, 0.0)
        // Of two definitions the worse counts.
        for kernels in ReducedKernels.models(.bfloat16) {
            let prepared = PreparedModel(model, reduced: kernels)
            let errors = zip(exact, prepared.predict(features)).map {
                abs(Double($0) - Double($1))
            }
            #expect(errors.count == Self.rows * 3)
            largest = max(largest, try #require(errors.max()))
            mean = max(mean, errors.reduce(0, +) / Double(errors.count))
            // Golden rows: to what the model is by definition.
            for row in golden.rows {
                let row = row.map { $0 ?? .nan }
                for (a, b) in zip(prepared.predict(row), reference.predict(row)) {
                    goldenError = max(goldenError, abs(Double(a) - b))
                }
            }
        }
        #expect(measured.maximumError == largest && largest > 0)
        #expect(abs(measured.meanError - mean) <= 1e-12)
        #expect(measured.rows == Self.rows && measured.precision == .bfloat16)
        #expect(abs(measured.goldenError - goldenError) <= 1e-12)
        #expect(measured.bound == 2 * max(largest, measured.goldenError))
    }

    /// Rows without finite outputs are not compared; without any there is nothing to record.
    @Test func rowsWithoutOutputsAreNone() throws {
        var some = features
        for i in 0..<24 { some[i] = i < 12 ? .infinity : 0 }
        var input = model.input
        input.missing = .reject
        input.limit = [Float](repeating: .infinity, count: 12)
        _ = try repository.publish(
            Model(input: input, layers: model.layers, head: .softmax), as: "r",
            Publication(key: ""))
        var calibration = try Calibration(repository, "r", version: 1, precision: .bfloat16)
        calibration.add(FeatureMatrix(some.span.extracting(0..<24), rows: 2, stride: 12))
        #expect(calibration.rows == 1)
        #expect(try calibration.record(source: "").rows == 1)
        var none = try Calibration(repository, "r", version: 1, precision: .bfloat16)
        none.add(FeatureMatrix(some.span.extracting(0..<12), rows: 1, stride: 12))
        #expect(refusal(of: none) == .notCalibrated)
    }

    /// Finite in float32 and not in bfloat16, whose largest number is smaller.
    @Test func outputsThatOverflowAreRefused() throws {
        let layer = DenseLayer(inputs: 1, outputs: 1, weights: [1], bias: [0])
        _ = try repository.publish(
            Model(input: InputStage(identity: 1), layers: [layer], head: .identity), as: "o",
            Publication(key: ""))
        var calibration = try Calibration(repository, "o", version: 1, precision: .bfloat16)
        let row: [Float] = [.greatestFiniteMagnitude]
        calibration.add(FeatureMatrix(row.span, rows: 1, stride: 1))
        #expect(refusal(of: calibration) == .boundExceeded)
    }

    // MARK: Recording

    @Test func recordedBesideWhatNeverChanges() throws {
        #expect(try repository.precisions(of: "m", version: 1) == [])
        let names = ["manifest.json", "model.safetensors"]
        let before = try names.map { try bytes("\(version)/\($0)") }
        let measured = try calibrate(bound: 0.5)
        #expect(measured.bound == 0.5)
        #expect(try repository.precisions(of: "m", version: 1) == [measured])
        let after = try names.map { try bytes("\(version)/\($0)") }
        #expect(before == after)
        #expect(try repository.versions(of: "m") == [1])
        #expect(try Set(Files.list(version)).count == 3, "nothing else is left")
        // Another one takes its place.
        let other = try calibrate(Array(features.prefix(120)))
        #expect(other.rows == 10)
        #expect(try repository.precisions(of: "m", version: 1) == [other])
        #expect(try repository.verify("m", version: 1).faults == [])
        // It goes when the version does.
        _ = try repository.publish(model, as: "m", Publication(key: ""))
        #expect(try repository.prune("m", keeping: 1).removed == [1])
        #expect(!Files.exists(file))
    }

    @Test func anExceededBoundChangesNothing() throws {
        let error = #expect(throws: RepositoryError.self) { try calibrate(bound: 1e-9) }
        #expect(error?.code == .boundExceeded)
        #expect(error?.detail.contains("nothing was recorded") == true)
        #expect(!Files.exists(file))
        try calibrate()
        let before = try bytes(file)
        #expect(bench.code { try calibrate(bound: 1e-9) } == .boundExceeded)
        #expect(try bytes(file) == before)
        // The golden rows alone can exceed it.
        let measured = try #require(repository.precisions(of: "m", version: 1).first)
        let bound = measured.goldenError / 2
        let quiet = try #require(
            (0..<Self.rows).map { Array(features[$0 * 12..<($0 + 1) * 12]) }.first { row in
                let exact = PreparedModel(model).predict(row)
                return ReducedKernels.models(.bfloat16).allSatisfy { kernels in
                    let rounded = PreparedModel(model, reduced: kernels).predict(row)
                    return zip(exact, rounded).allSatisfy { abs(Double($0) - Double($1)) < bound }
                }
            })
        #expect(bench.code { try calibrate(quiet, bound: bound) } == .boundExceeded)
        #expect(try calibrate(quiet).rows == 1)
    }

    @Test func float32IsWhatOthersAreComparedWith() throws {
        #expect(
            bench.code {
                _ = try Calibration(repository, "m", version: 1, precision: .float32)
            } == .notCalibrated)
    }

    // MARK: Loading

    @Test func onlyWhatWasCalibratedIsLoaded() throws {
        let error = #expect(throws: RepositoryError.self) { try load(.amxModel) }
        #expect(error?.code == .notCalibrated)
        #expect(error?.detail.contains("model quantize m@1 --precision bfloat16") == true)
        #expect(bench.code { _ = try load(nil) } == .notCalibrated, "also where it falls back")
        try calibrate()
        let loaded = try load(.amxModel)
        #expect(loaded.prepared.precision == .bfloat16 && loaded.fallback == nil)
        let rounded = PreparedModel(model, reduced: .amxModel).predict(features)
        #expect(loaded.prepared.predict(features) == rounded)
        #expect(try repository.load("m", version: 1).fallback == nil)
    }

    /// Never silently, and never by the model of the registers.
    @Test func withoutRegistersItIsFloat32AndSaysSo() throws {
        try calibrate()
        let loaded = try load(nil)
        #expect(loaded.prepared.precision == .float32 && loaded.requested == .bfloat16)
        #expect(loaded.prepared.kernelName == KernelSet.best.rawValue)
        #expect(loaded.prepared.predict(features) == PreparedModel(model).predict(features))
        #expect(loaded.fallback?.isEmpty == false)
        let byDefault = try repository.load("m", version: 1, precision: .bfloat16)
        #expect((byDefault.fallback == nil) == Precision.bfloat16.isAvailable)
        #expect(byDefault.prepared.kernelName != "software-bfloat16")
    }

    @Test func goldenRowsAreHeldToTheBound() throws {
        try calibrate()
        for name in ["bound", "maximumError", "meanError", "goldenError"] {
            let value = try #require(try number(name))
            try replace("\"\(name)\" : \(value)", "\"\(name)\" : 1e-9")
        }
        #expect(bench.code { _ = try load(.amxModel) } == .wrongPredictions)
        #expect(
            try repository.verify("m", version: 1).faults.map(\.code) == [.wrongPredictions])
        #expect(try load(nil).fallback != nil, "in float32 they are what they were")
    }

    // MARK: Damage

    private func number(_ name: String) throws -> String? {
        let text = String(decoding: try bytes(file), as: UTF8.self)
        guard let start = text.firstRange(of: "\"\(name)\" : ")?.upperBound else { return nil }
        return String(text[start...].prefix { !",\n".contains($0) })
    }

    private func replace(_ old: String, _ new: String) throws {
        let text = String(decoding: try bytes(file), as: UTF8.self)
        try #require(text.contains(old), "\(old)")
        try Files.writeDurably(
            file, Array(text.replacing(old, with: new, maxReplacements: 1).utf8))
    }

    @Test(arguments: [
        ("maximumError", "-1", RepositoryError.Code.malformedFile),
        ("maximumError", "1e9", .malformedFile), ("maximumError", "null", .malformedFile),
        ("meanError", "1e9", .malformedFile), ("meanError", "-0.1", .malformedFile),
        ("goldenError", "1e9", .malformedFile), ("goldenError", "\"1\"", .malformedFile),
        ("bound", "0", .malformedFile), ("bound", "1e999", .malformedFile),
        ("bound", "true", .malformedFile), ("rows", "0", .malformedFile),
        ("rows", "-5", .malformedFile), ("rows", "1.5", .malformedFile),
        ("precision", "\"int4\"", .malformedFile), ("precision", "\"float32\"", .malformedFile),
        ("formatVersion", "2", .unsupportedVersion), ("formatVersion", "\"1\"", .malformedFile),
        ("crc32c", "1", .checksumMismatch), ("bytes", "1", .checksumMismatch),
        ("crc32c", "-1", .malformedFile), ("source", "7", .malformedFile),
        ("created", "[]", .malformedFile),
    ]) func damagedFieldsAreRefused(
        field: String, value: String, expected: RepositoryError.Code
    ) throws {
        try calibrate()
        let old = try #require(try number(field))
        try replace("\"\(field)\" : \(old)", "\"\(field)\" : \(value)")
        #expect(bench.code { _ = try repository.precisions(of: "m", version: 1) } == expected)
        #expect(bench.code { _ = try load(.amxModel) } == expected)
        #expect(try repository.verify("m", version: 1).faults.map(\.code) == [expected])
        #expect(try repository.load("m", version: 1).fallback == nil, "float32 does not need it")
        // Calibrating again is what the error asks for.
        try calibrate()
        #expect(try repository.verify("m", version: 1).faults == [])
    }

    @Test func onePrecisionTwiceIsRefused() throws {
        try calibrate()
        let text = String(decoding: try bytes(file), as: UTF8.self)
        let start = try #require(text.firstIndex(of: "["))
        let end = try #require(text.lastIndex(of: "]"))
        let inner = text[text.index(after: start)..<end]
        try replace(String(inner), "\(inner),\(inner)")
        #expect(bench.code { _ = try load(.amxModel) } == .malformedFile)
    }

    /// `MILLRACE_FUZZ_RUNS` sets how many files are tried; replayed from one seed.
    @Test func damagedFilesNeverTrap() throws {
        let rounds = Environment.number("MILLRACE_FUZZ_RUNS", or: 1_000)
        let measured = try calibrate()
        let whole = try bytes(file)
        var generator = SplitMix64(seed: 72)
        var codes: [RepositoryError.Code: Int] = [:]
        for _ in 0..<rounds {
            var damaged = whole
            for _ in 0...generator.next() % 3 { Damage.strike(&damaged, &generator) }
            let handle = try FileHandle(file, .readWrite)
            try handle.truncate(to: 0)
            try handle.write(damaged, at: 0)
            do throws(RepositoryError) {
                for found in try repository.precisions(of: "m", version: 1) {
                    #expect(found.isSound && found.precision == measured.precision)
                }
            } catch { codes[error.code, default: 0] += 1 }
        }
        #expect(codes.count >= 3 && codes[.storage] == nil && codes[.notFound] == nil, "\(codes)")
    }
}
