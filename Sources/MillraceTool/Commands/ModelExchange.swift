internal import ArgumentParser
internal import Millrace
internal import MillraceSystem

extension ModelCommand {
    /// `millrace model import`.
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Publishes a model of another program from an ONNX file.",
            discussion: """
                scikit-learn's, PyTorch's and Keras's linear models and MLPs are understood.

                Example: millrace model import classifier.onnx --name flights-delay
                """)

        @Argument(help: "The ONNX file.") var file: String
        @Option(help: "The name under which it is published.") var name: String
        @OptionGroup var places: DataOptions

        func run() throws {
            let version = try ExitStatus.coded {
                guard try Files.isThere(file) else {
                    throw PipelineError(
                        .noInput, "there is no such file", advice: "Check the path.", file: file)
                }
                let bytes = try Files.read(file, maxBytes: Model.maxONNXBytes)
                let model = try refusing(file) { () throws(ONNXError) in try Model(onnx: bytes) }
                return try ModelRepository(path: places.models).publish(
                    model, as: name, Publication(key: ""))
            }
            print("\(name)@\(version)")
        }
    }

    /// `millrace model export`.
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes a version as an ONNX file.",
            discussion: "Example: millrace model export flights-delay@3 delay.onnx")

        @Argument(help: "NAME, or NAME@VERSION for another than the newest.") var model: String
        @Argument(help: "The ONNX file to write; one that is there is replaced.") var file: String
        @OptionGroup var places: DataOptions

        func run() throws {
            try ExitStatus.coded {
                let repository = ModelRepository(path: places.models)
                let (name, version) = try ModelCommand.version(model, in: repository)
                let loaded = try repository.load(name, version: version)
                let bytes = try refusing(file) { () throws(ONNXError) in try loaded.model.onnx() }
                do throws(SystemError) { try Files.writeDurably(file, bytes) } catch {
                    throw PipelineError(.cannotCreate, error.description)
                }
            }
        }
    }

    /// The name and the version that NAME or NAME@VERSION means.
    static func version(
        _ text: String, in repository: ModelRepository
    ) throws -> (name: String, version: Int) {
        let parts = text.split(separator: "@", maxSplits: 1).map(String.init)
        let name = parts.first ?? text
        let wanted = parts.count > 1 ? Int(parts[1]) : try repository.latest(of: name)
        guard let version = wanted else {
            throw PipelineError(
                .noInput, "there is no version of model '\(text)' in \(repository.path)",
                advice: "millrace model list shows what there is.")
        }
        return (name, version)
    }
}

/// Runs `body`; what ONNX cannot express is bad data in `file`.
private func refusing<R>(_ file: String, _ body: () throws(ONNXError) -> R) throws(PipelineError)
    -> R
{
    do { return try body() } catch {
        throw PipelineError(.badData, error.description, file: file)
    }
}
