internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceInput
internal import MillraceKafka
internal import MillraceLog
internal import MillraceModels
internal import MillraceRepository
internal import MillraceSystem

/// What went wrong below, in the terms of who started the pipeline.
extension PipelineError {
    init(_ error: LogError) {
        let code: Code =
            switch error.code {
            case .invalidArgument: .usage
            case .notFound: .noInput
            // Another writes what this one wrote: nothing of it is lost, and it may go on later.
            case .busy, .fenced: .tryLater
            case .system: error.cause?.isOutOfSpace == true ? .cannotCreate : .inputOutput
            default: .badData
            }
        self.init(code, error.description)
    }

    init(_ error: GroupError) {
        let code: Code =
            switch error.code {
            case .inUse, .instanceInUse, .coreInUse, .fenced: .tryLater
            case .noSuchGroup, .noSuchTopic: .noInput
            case .corrupt, .unsupportedVersion, .log: .badData
            case .unsupportedFileSystem: .cannotCreate
            case .system: error.cause?.isOutOfSpace == true ? .cannotCreate : .inputOutput
            case .outOfGenerations: .internalError
            default: .usage
            }
        self.init(code, error.description)
    }

    init(_ error: InputError) {
        let code: Code =
            switch error.code {
            case .notFound: .noInput
            case .unreadable: .inputOutput
            default: .badData
            }
        self.init(code, error.description)
    }

    init(_ error: KafkaError) {
        if let cause = error.cause {
            self.init(cause)
            return
        }
        let code: Code =
            switch error.code {
            case .invalidArgument, .notBuilt: .usage
            case .noSuchTopic, .noSuchGroup: .noInput
            case .noBroker, .fenced: .tryLater
            case .notAuthenticated, .notAuthorised, .client: .inputOutput
            default: .badData
            }
        self.init(code, error.summary, advice: error.advice)
    }

    init(_ error: FeatureError) { self.init(.usage, error.description) }
    init(_ error: ModelError) { self.init(.badData, error.description) }
    init(_ error: SystemError) { self.init(.inputOutput, error.description) }

    init(_ error: RepositoryError) {
        let code: Code =
            switch error.code {
            case .invalidName: .usage
            case .notFound: .noInput
            case .busy: .tryLater
            case .storage: .inputOutput
            default: .badData
            }
        self.init(code, error.description)
    }

    /// The error that another module threw through an untyped boundary.
    static func from(_ error: any Error) -> PipelineError {
        switch error {
        case let error as PipelineError: error
        case let error as LogError: PipelineError(error)
        case let error as GroupError: PipelineError(error)
        case let error as InputError: PipelineError(error)
        case let error as KafkaError: PipelineError(error)
        case let error as FeatureError: PipelineError(error)
        case let error as ModelError: PipelineError(error)
        case let error as RepositoryError: PipelineError(error)
        case let error as SystemError: PipelineError(error)
        case let error as ComputeError: PipelineError(.usage, error.description)
        default: PipelineError(.internalError, "\(error)")
        }
    }
}

/// Runs `body`, turning any error into a `PipelineError`.
func pipelineErrors<R: ~Copyable>(_ body: () throws -> R) throws(PipelineError) -> R {
    do { return try body() } catch { throw PipelineError.from(error) }
}

extension PipelineError {
    /// An error of any part of the library, with the exit code that fits it.
    public init(wrapping error: any Error) { self = PipelineError.from(error) }
}
