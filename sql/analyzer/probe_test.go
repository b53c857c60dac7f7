package analyzer_test
import ("testing";"fmt";"os";"bufio";"strings";"context";"io"
"github.com/tuttidb/tutti/sql/analyzer"
"github.com/tuttidb/tutti/sql/analyzer/analyzertest"
"github.com/tuttidb/tutti/sql/parser"
"github.com/tuttidb/tutti/sql/ast"
"github.com/tuttidb/tutti/internal/qerr"
)
func TestProbe(t *testing.T){ if os.Getenv("PROBE")=="" {return}; f,_:=os.Open(os.Getenv("PROBE")); out,_:=os.Create("/tmp/az/ours.out"); defer out.Close()
 text,_:=io.ReadAll(bufio.NewReader(f))
 for _,sql:=range strings.Split(string(text),"\n;"){
  sql=strings.TrimSpace(sql)
  if sql==""{continue}
  fmt.Fprintln(out,">",sql); fmt.Fprintln(out,"   ",probeRun(sql))
 }
}
func probeRun(sql string) string {
 stmt,err:=parser.ParseStatement(sql)
 if err!=nil {return probeErr(err)}
 a:=analyzer.New(context.Background(),analyzertest.New(),analyzertest.Session("tpch"),&analyzer.Allocator{})
 var q *analyzer.Query
 switch s:=stmt.(type){
 case *ast.Query: q,err=a.Query(s)
 case *ast.Insert: _,err=a.Insert(s)
 case *ast.CreateTableAs: _,err=a.CreateTableAs(s)
 default: return "other"
 }
 if err!=nil {return probeErr(err)}
 if q==nil {return "OK"}
 var parts []string
 for i,o:=range q.Outputs { parts=append(parts,fmt.Sprintf("('%s', '%s')",q.Names()[i],o.Type)) }
 return "OK ["+strings.Join(parts,", ")+"]"
}
func probeErr(err error) string { x:=qerr.From(err); return "ERR "+x.Code.Name+" "+err.Error() }
