internal import MillraceSystem

/// Which model is meant, and which of its versions: `NAME`, `NAME@7` or `NAME@stable`.
///
/// `NAME` alone is the alias `latest`. A number is a version; it must not begin with zero.
/// Everything else is an alias, which `ModelRepository.resolve(_:)` looks up each time it is asked.
public struct ModelReference: Sendable, Hashable, CustomStringConvertible {
    /// Which of a model's versions.
    public enum Selector: Sendable, Hashable {
        /// The one with this number, for ever.
        case version(Int)
        /// The one that the alias names at the time.
        case alias(String)
    }

    /// What a name without a version means: the newest version, or the one rolled back to.
    public static let latest = "latest"
    /// The alias that is moved where none is named.
    public static let stable = "stable"

    /// The model's name.
    public var name: String
    /// Which of its versions.
    public var selector: Selector

    /// A reference from its parts, which are checked when it is used.
    public init(_ name: String, _ selector: Selector = .alias(Self.latest)) {
        self.name = name
        self.selector = selector
    }

    /// Reads a reference.
    ///
    /// - Throws: `RepositoryError` with `invalidName`.
    public init(parsing text: String) throws(RepositoryError) {
        func invalid(_ detail: String) -> RepositoryError {
            RepositoryError(
                .invalidName, path: text,
                "\(detail); a model is named as NAME, NAME@7 or NAME@\(Self.stable)")
        }
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        name = String(parts[0])
        guard Names.isValid(name) else {
            throw invalid("'\(name)' cannot be a model's name: \(Names.rule.lowercasedFirst)")
        }
        guard parts.count > 1 else {
            selector = .alias(Self.latest)
            return
        }
        let chosen = String(parts[1])
        if let version = ModelRepository.version(chosen) {
            selector = .version(version)
        } else {
            guard Self.isAlias(chosen) else {
                throw invalid("'\(chosen)' is neither a version, from 1, nor an alias")
            }
            selector = .alias(chosen)
        }
    }

    /// The version that is meant whatever happens; nil for an alias.
    public var version: Int? {
        if case .version(let number) = selector { number } else { nil }
    }

    /// `NAME` for the alias `latest`, else `NAME@VERSION` or `NAME@ALIAS`.
    public var description: String {
        switch selector {
        case .version(let number): "\(name)@\(number)"
        case .alias(Self.latest): name
        case .alias(let alias): "\(name)@\(alias)"
        }
    }

    /// Whether an alias may be called so: as a model may, but not beginning with a digit, a dot or
    /// a hyphen, so that it is not taken for a version or an option.
    public static func isAlias(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, Names.isValid(text) else { return false }
        return !("0"..."9").contains(first) && first != "." && first != "-"
    }
}

extension ModelReference: ExpressibleByStringLiteral {
    /// The reference that the text is; where it is none, one whose name is refused when it is used.
    public init(stringLiteral text: String) {
        do throws(RepositoryError) { self = try ModelReference(parsing: text) } catch {
            self.init(text)
        }
    }
}

extension String {
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
