internal import ArgumentParser
internal import Millrace
internal import MillraceModels
internal import MillraceSystem

extension ModelCommand {
    /// `millrace model import`.
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Publishes a model of another program from an ONNX or safetensors file.",
            discussion: """
                ONNX: scikit-learn's, PyTorch's and Keras's linear models and MLPs are understood.
                safetensors: float32 tensors named as those of a torch.nn.Sequential, N.weight of
                [outputs, inputs] and N.bias. Such a file does not say what layers apply: --head,
                and with hidden layers --activation, do.

                Example: millrace model import classifier.onnx --name flights-delay
                Example: millrace model import net.safetensors --name digits --activation relu \\
                  --head softmax
                """)

        @Argument(help: "The file; a name that ends in .safetensors says which it is.")
        var file: String
        @Option(help: "The name under which it is published.") var name: String
        @Option(
            help: ArgumentHelp(
                "safetensors: what hidden layers apply: "
                    + Activation.allCases.map(\.rawValue).joined(separator: ", ") + "."),
            transform: { try choice($0) })
        var activation: Activation?
        @Option(
            help: ArgumentHelp(
                "safetensors: what the last layer's sums become: "
                    + Head.allCases.map(\.rawValue).joined(separator: ", ") + "."),
            transform: { try choice($0) })
        var head: Head?
        @Option(help: "safetensors: the classes in their order, as in late,on-time.")
        var labels: String?
        @Option(help: "safetensors: the features in their order, as in age,height.")
        var features: String?
        @OptionGroup var places: DataOptions

        private var isSafetensors: Bool { file.lowercased().hasSuffix(".safetensors") }

        func validate() throws {
            if isSafetensors, head == nil {
                throw ValidationError("a safetensors file needs --head")
            }
            if !isSafetensors, activation != nil || head != nil || labels != nil || features != nil
            {
                throw ValidationError(
                    "--activation, --head, --labels and --features are for files that end in "
                        + ".safetensors; an ONNX file says these itself")
            }
        }

        func run() throws {
            let version = try ExitStatus.coded {
                guard try Files.isThere(file) else {
                    throw PipelineError(
                        .noInput, "there is no such file", advice: "Check the path.", file: file)
                }
                return try places.repository.publish(
                    model(), as: name, Publication(key: ""))
            }
            print("\(name)@\(version)")
        }

        private func model() throws -> Model {
            if isSafetensors, let head {
                return try Model(
                    safetensors: Files.read(file, maxBytes: Model.maxSafetensorsBytes),
                    path: file, activation: activation, head: head, labels: Self.list(labels),
                    featureNames: Self.list(features))
            }
            let bytes = try Files.read(file, maxBytes: Model.maxONNXBytes)
            return try refusing(file) { () throws(ONNXError) in try Model(onnx: bytes) }
        }

        private static func list(_ text: String?) -> [String] {
            text?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
        }
    }

    /// `millrace model export`.
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes a version as an ONNX file.",
            discussion: "Example: millrace model export flights-delay@3 delay.onnx")

        @Argument(help: ArgumentHelp(ModelCommand.referenceHelp)) var model: String
        @Argument(help: "The ONNX file to write; one that is there is replaced.") var file: String
        @OptionGroup var places: DataOptions

        func run() throws {
            try ExitStatus.coded {
                let found = try places.find(model)
                let loaded = try places.repository.load(found.name, version: found.version)
                let bytes = try refusing(file) { () throws(ONNXError) in try loaded.model.onnx() }
                do throws(SystemError) { try Files.writeDurably(file, bytes) } catch {
                    throw PipelineError(.cannotCreate, error.description)
                }
            }
        }
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

/// The case of that name, for options.
private func choice<Choice: CaseIterable & RawRepresentable<String>>(
    _ text: String
) throws -> Choice {
    guard let found = Choice(rawValue: text) else {
        let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("'\(text)' is none of \(names)")
    }
    return found
}
