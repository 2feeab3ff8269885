/// The version of this package.
public enum MillraceVersion {
    /// Semantic version of the program and library.
    public static let current = "0.1.0"
}
