//! Every vector through `pdmline replay`: the output byte for byte, and every counter, loss and metric.

use anyhow::{Context, Result};
use pdmline_tests::vectors;

#[test]
fn every_vector_comes_out_as_it_says() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut wrong = Vec::new();
    for vector in vectors::all()? {
        let replayed = vector.replay(directory.path()).with_context(|| vector.name.clone())?;
        let differences = vector.differences(&replayed).with_context(|| vector.name.clone())?;
        println!("{}: {}", vector.name, if differences.is_empty() { "ok" } else { "WRONG" });
        wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", vector.name)));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_vector_is_complete() -> Result<()> {
    for vector in vectors::all()? {
        assert!(vector.input().is_file(), "{} has no input", vector.name);
        assert!(vector.output().is_file(), "{} has no output", vector.name);
    }
    Ok(())
}
