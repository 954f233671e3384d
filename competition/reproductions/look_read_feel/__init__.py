"""The benchmark of topic and sentiment prediction of Look, Read and Feel (2020), on any ads."""
